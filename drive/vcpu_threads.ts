// vCPUs of a live run on a real kernel.
import { ERRNO, HostError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { SIGUSR1 } from "../ffi/linux.ts";
import { GuestError } from "../host/errors.ts";
import type { FullStops, LiveVcpus, VcpuPlace, VcpuStop } from "./live_vcpus.ts";
import * as control from "./vcpu_control.ts";
import type { VcpuControl, VcpuOrder } from "./vcpu_control.ts";

/** A vCPU to run on a thread. */
export interface ThreadedVcpu {
  /** The order to its thread, without the memory that they share. */
  readonly order: Omit<VcpuOrder, "bell" | "control">;
  /** The stores left in the current pass, read from its registers. */
  remaining(): number;
}

/** The program of a vCPU's thread. */
export const THREAD: URL = new URL("./vcpu_thread.ts", import.meta.url);

/** The longest times for a thread to begin, to stand still, and to end. */
const START_MS = 30_000;
const STOP_MS = 5_000;
const END_MS = 5_000;
/** How often the harvester checks, while it waits, that the threads still exist. */
const LOOK_MS = 100;
/**
 * If the reset lock is held for longer than this and a thread is gone, that thread is taken to have
 * held it.
 */
const LEFT_LOCK_MS = 1000;

interface Thread {
  readonly worker: Worker;
  readonly control: VcpuControl;
  readonly vcpu: ThreadedVcpu;
  /** Whether its vCPU was resumed and nobody has called `stopOf` for its stop yet. */
  isOut: boolean;
  hasSaidBye: boolean;
  /** The message of its error, if it failed. */
  error: string | null;
  /** Why the thread is gone; `null` while it exists. */
  lost: string | null;
}

/**
 * vCPUs on a real kernel, each on a thread of its own: a Worker, since `KVM_RUN` blocks. A vCPU is
 * stopped with a signal that its thread blocks and only `KVM_RUN` lets in, so that a signal which
 * comes too early is not lost. A Worker ends by itself: terminating one inside `KVM_RUN` would hang
 * the process.
 */
export class VcpuThreads implements LiveVcpus {
  readonly #kernel: Kernel;
  readonly #bell = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #threads: Thread[] = [];
  #lookedAt = 0;
  /**
   * The vCPU whose `KVM_RUN` does not return though a signal is pending; `null` if there is none.
   */
  #stuck: number | null = null;

  private constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Starts a thread for each vCPU; all stand still.
   *
   * @param kernel The kernel that answers on this thread.
   * @param program The program of a thread.
   * @returns The vCPUs. The caller owns them and disposes of them before the VM.
   * @throws {HostError} If a thread cannot be started.
   */
  static async start(
    kernel: Kernel,
    vcpus: readonly ThreadedVcpu[],
    program: URL = THREAD,
  ): Promise<VcpuThreads> {
    const threads = new VcpuThreads(kernel);
    try {
      for (const vcpu of vcpus) threads.#spawn(vcpu, program);
      await threads.#begun();
      return threads;
    } catch (error) {
      await threads[Symbol.asyncDispose]();
      throw error;
    }
  }

  #spawn(vcpu: ThreadedVcpu, program: URL): void {
    const worker = new Worker(program, { type: "module" });
    const thread: Thread = {
      worker,
      vcpu,
      control: control.vcpuControl(),
      isOut: false,
      hasSaidBye: false,
      error: null,
      lost: null,
    };
    this.#threads.push(thread);
    worker.onmessage = () => thread.hasSaidBye = true;
    worker.onerror = (event) => {
      event.preventDefault(); // otherwise the error would end the process
      thread.error = event.message;
    };
    const shared = { bell: this.#bell.buffer, control: thread.control.buffer };
    worker.postMessage({ ...vcpu.order, ...shared } satisfies VcpuOrder);
  }

  async #begun(): Promise<void> {
    const started = performance.now();
    for (const [id, thread] of this.#threads.entries()) {
      while (!hasBegun(thread)) {
        await turn();
        const error = thread.error ??
          (performance.now() - started > START_MS ? "it did not begin" : null);
        if (error === null && !thread.hasSaidBye) continue;
        throw new HostError(
          `A thread for vCPU ${id}: ${error ?? "it ended at once"}`,
          "run bin/dirtyring, or add --allow-read and --allow-ffi to deno run",
        );
      }
    }
  }

  /** The thread ids, by vCPU. */
  get tids(): readonly number[] {
    return this.#threads.map(({ control: { words } }) => words[control.TID]!);
  }

  /**
   * How often, in milliseconds, the event loop gets a turn, in which signals and the end of threads
   * are seen.
   */
  readonly turnMs = 50;

  /** The time in milliseconds, by this host's clock. */
  now(): number {
    return performance.now();
  }

  /** Resumes a vCPU that stands still. */
  resume(id: number): void {
    const thread = this.#threads[id]!;
    const { words } = thread.control;
    if (thread.lost !== null || Atomics.load(words, control.PHASE) !== control.HOLD) return;
    if (thread.isOut || words[control.STOP] === control.STOP_DONE) return;
    thread.isOut = true;
    Atomics.store(words, control.PHASE, control.RUN);
    Atomics.notify(words, control.PHASE);
  }

  /**
   * Stops vCPUs, wherever they are, and waits until they stand still.
   *
   * @param ids The vCPUs; all unless given.
   * @throws {GuestError} If one does not stop within seconds: the kernel goes on to run it though a
   * signal is pending. Nobody waits for it again.
   */
  stop(ids: readonly number[] = this.#threads.keys().toArray()): void {
    if (this.#stuck !== null) throw stuckError(this.#stuck);
    for (const id of ids) this.#ask(this.#threads[id]!);
    const started = performance.now();
    for (const id of ids) {
      const thread = this.#threads[id]!;
      for (;;) {
        const seen = Atomics.load(this.#bell, 0);
        if (isStill(thread)) break;
        if (performance.now() - started > STOP_MS) {
          this.#stuck = id;
          throw stuckError(id);
        }
        if (Atomics.wait(this.#bell, 0, seen, LOOK_MS) === "timed-out") this.#look();
      }
    }
  }

  // Withdraws RUN if the thread has not taken it yet, and otherwise sends a signal.
  #ask(thread: Thread): void {
    const { words } = thread.control;
    const { PHASE, RUN, HOLD, RUNNING, STOPPING } = control;
    if (thread.lost !== null) return;
    if (Atomics.compareExchange(words, PHASE, RUN, HOLD) === RUN) {
      words[control.STOP] = control.STOP_ASKED;
    } else if (Atomics.compareExchange(words, PHASE, RUNNING, STOPPING) === RUNNING) {
      if (this.#kernel.tgkill(words[control.TID]!, SIGUSR1) === -ERRNO.ESRCH) this.#look();
    }
  }

  /**
   * Waits until a vCPU has stopped by itself, or the time has passed.
   *
   * @param ms The longest, in milliseconds.
   */
  wait(ms: number): void {
    const seen = Atomics.load(this.#bell, 0);
    if (this.#threads.some((thread) => thread.isOut && isStill(thread))) return;
    if (ms > 0) Atomics.wait(this.#bell, 0, seen, ms);
    if (performance.now() - this.#lookedAt > LOOK_MS) this.#look();
  }

  /** Calls `work` while no vCPU's thread harvests or resets. */
  exclusively<Answer>(work: () => Answer): Answer {
    const { RESET_LOCK } = control;
    const started = performance.now();
    // A thread holds the lock for some tens of microseconds, but one that died with it would hold
    // it for ever.
    while (Atomics.compareExchange(this.#bell, RESET_LOCK, 0, 1) !== 0) {
      Atomics.wait(this.#bell, RESET_LOCK, 1, 0.05);
      if (performance.now() - this.#lookedAt > LOOK_MS) this.#look();
      const isLeft = performance.now() - started > LEFT_LOCK_MS;
      if (isLeft && this.#threads.some(({ lost }) => lost !== null)) break;
    }
    try {
      return work();
    } finally {
      Atomics.store(this.#bell, RESET_LOCK, 0);
    }
  }

  // While this thread blocks the event loop, only the kernel tells that a thread threw or closed
  // itself.
  #look(): void {
    this.#lookedAt = performance.now();
    for (const thread of this.#threads) {
      if (thread.lost !== null || !this.#isGone(thread)) continue;
      thread.lost = thread.error ?? "its thread has ended";
    }
  }

  #isGone({ control: { words } }: Thread): boolean {
    const tid = words[control.TID]!;
    return tid > 0 && this.#kernel.tgkill(tid, 0) === -ERRNO.ESRCH;
  }

  /**
   * Why a vCPU stopped.
   *
   * @returns Why it stands still; `null` while it runs.
   */
  stopOf(id: number): VcpuStop | null {
    const thread = this.#threads[id]!;
    if (!isStill(thread)) return null;
    thread.isOut = false;
    // `thread.error` is read again here, since the event loop may have delivered it meanwhile.
    if (thread.lost !== null) return { kind: "lost", why: thread.error ?? thread.lost };
    const { words } = thread.control;
    const detail = words[control.DETAIL]!;
    switch (words[control.STOP]) {
      case control.STOP_DONE:
        return { kind: "done" };
      case control.STOP_FULL:
        return { kind: "full" };
      case control.STOP_EXIT:
        return { kind: "exit", reason: detail };
      case control.STOP_ERRNO:
        return { kind: "errno", errno: detail };
      default:
        return { kind: "asked" };
    }
  }

  /** How far a vCPU that stands still is in its stores. */
  placeOf(id: number): VcpuPlace {
    const { control: { numbers, words }, vcpu } = this.#threads[id]!;
    const passStores = numbers[control.PASS]!;
    const isDone = words[control.STOP] === control.STOP_DONE;
    const passMade = isDone ? passStores : passStores - vcpu.remaining();
    const value = numbers[control.VALUE]!;
    return { stores: numbers[control.FINISHED]! + passMade, value, passStores, passMade };
  }

  /**
   * How long a vCPU stood still at full rings, measured by its thread.
   *
   * @returns The completed stops.
   */
  fullStops(id: number): FullStops {
    return control.fullStopsOf(this.#threads[id]!.control.numbers);
  }

  /** Stops all vCPUs and waits until their threads are gone, unless a `KVM_RUN` does not return. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A thread that has not begun sees QUIT and never enters KVM_RUN.
    const { PHASE, STARTING, QUIT } = control;
    const begun = this.#threads.filter(({ control: { words } }) =>
      Atomics.compareExchange(words, PHASE, STARTING, QUIT) !== STARTING
    );
    if (this.#stuck === null) this.stop(begun.map((thread) => this.#threads.indexOf(thread)));
    for (const { control: { words } } of begun) {
      Atomics.store(words, PHASE, QUIT);
      Atomics.notify(words, PHASE);
    }
    // Terminating a Worker inside KVM_RUN, or waiting for it, would hang this program; the Worker
    // ends with the process.
    if (this.#stuck !== null) return;
    const since = performance.now();
    for (const thread of begun) {
      const isOver = () => thread.hasSaidBye || thread.error !== null || this.#isGone(thread);
      while (!isOver()) {
        if (performance.now() - since > END_MS) throw new Error("A vCPU's thread does not end");
        await turn();
      }
    }
    // All are outside KVM_RUN: they are closing, gone, or will never enter it.
    for (const { worker } of this.#threads) worker.terminate();
    for (const thread of begun) {
      while (!this.#isGone(thread) && performance.now() - since < END_MS) await turn();
    }
    this.#threads.length = 0;
  }
}

function stuckError(id: number): GuestError {
  return new GuestError(
    `vCPU ${id} does not stand still within ${
      STOP_MS / 1000
    } s of a signal that KVM_RUN lets in: this kernel runs ` +
      "it on; look into dmesg",
  );
}

function isStill({ control: { words }, lost }: Thread): boolean {
  return lost !== null || Atomics.load(words, control.PHASE) === control.HOLD;
}

function hasBegun({ control: { words } }: Thread): boolean {
  return Atomics.load(words, control.PHASE) !== control.STARTING;
}

// Lets the event loop deliver the Workers' messages.
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
