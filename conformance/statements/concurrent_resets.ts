// Resets from several threads at once. `reset_worker.ts` is one of the threads.
import { HostError } from "../../ffi/errors.ts";
import { needThreads } from "../../host/exhaustion.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { type CheckAnswer, CheckSkip, expect, expectThat, MAIN, numbers } from "../kit/expect.ts";
import type { Machine } from "../kit/machine.ts";
import { storePages } from "../kit/push_pages.ts";
import { type ResetCall, resetCall, type ResetOrder } from "./reset_call.ts";

/** Number of threads besides the main one. */
const THREADS = 3;
/**
 * Pages that each of two vCPUs stores to, and a ring with room for their entries, also with PML.
 */
const PAGES = 2048;
const RING_BYTES = 4 * PAGES * 16;
/**
 * The most rounds to wait for calls to overlap, which depends on how the host schedules the
 * threads.
 */
const ROUNDS = 10;
/** This many overlapping calls are enough. */
const MET = 3;

/** Threads that call `KVM_RESET_DIRTY_RINGS` at once. */
class ResetThreads implements Disposable {
  readonly #machine: Machine;
  readonly #workers: Worker[];
  readonly #gate = new Int32Array(new SharedArrayBuffer(8)); // rounds begun, threads that wait
  #round = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    needThreads(THREADS, "threads that reset");
    this.#workers = numbers(THREADS).map(() =>
      new Worker(new URL("./reset_worker.ts", import.meta.url), { type: "module" })
    );
  }

  /**
   * Resets from all threads and from this one at once. Returns each call; this thread's is the
   * last.
   */
  async reset(): Promise<ResetCall[]> {
    const order: ResetOrder = { fd: this.#machine.vm.fd, gate: this.#gate, round: ++this.#round };
    Atomics.store(this.#gate, 1, 0);
    const answers = this.#workers.map((worker) => answerOf(worker, order));
    // A thread that cannot start fails before all have reached the gate.
    const failed = Promise.race(answers);
    while (Atomics.load(this.#gate, 1) < THREADS) {
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 0))]);
    }
    Atomics.store(this.#gate, 0, this.#round);
    Atomics.notify(this.#gate, 0);
    const own = resetCall(() => this.#machine.reset());
    return [...await Promise.all(answers), own];
  }

  /** Terminates the threads, none of which is in a call. */
  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

function answerOf(worker: Worker, order: ResetOrder): Promise<ResetCall> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<ResetCall>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault(); // or it would end the process
      reject(
        new HostError(
          `A thread that resets: ${event.message}`,
          "run bin/dirtyring, or add --allow-read and --allow-ffi to deno run",
        ),
      );
    };
    worker.postMessage(order);
  });
}

// Lets both vCPUs store to pages of their own, far enough apart that each page is a batch.
function fill(machine: Machine): number {
  for (const vcpu of [0, 1]) {
    storePages(
      machine,
      numbers(PAGES).map((n) => n % 2 * 2 * PAGES + (n >> 1) + vcpu * PAGES),
      vcpu,
    );
  }
  const harvested = [machine.harvest(0), machine.harvest(1)];
  expect("entries harvested", harvested, [PAGES, PAGES]);
  return 2 * PAGES;
}

// Counts the calls that overlap another in time, as seen from this program. Whether they really
// waited for each other only the kernel knows.
function meetings(calls: readonly ResetCall[]): number {
  return calls.filter((one) =>
    calls.some((other) => other !== one && other.from < one.from && one.from < other.to)
  ).length;
}

function expectSum(calls: readonly ResetCall[], harvested: number): void {
  const counts = calls.map(({ answer }) => answer);
  expectThat("counts of the calls", counts.every((count) => count >= 0), "0 or more each", counts);
  expect("entries that all calls reset", counts.reduce((sum, one) => sum + one, 0), harvested);
}

async function resetsAtOnce(host: CheckHost): Promise<CheckAnswer> {
  const machine = host.machine({
    vcpus: 2,
    ringBytes: RING_BYTES,
    pages: 4 * PAGES,
    hostPages: 4 * PAGES,
  });
  if (host.kernel.insight !== null) {
    for (let round = 0; round < 2; round++) {
      const harvested = fill(machine);
      expectSum(numbers(THREADS).map(() => resetCall(() => machine.reset())), harvested);
    }
    return "a kernel in memory has one thread: its calls came one after another";
  }
  using threads = new ResetThreads(machine);
  let [calls, met] = [0, 0];
  for (let round = 0; round < ROUNDS && met < MET; round++) {
    // `fill` expects all pages to be pushed, so all were re-protected in the round before.
    const harvested = fill(machine);
    const made = await threads.reset();
    expectSum(made, harvested);
    expect("entries left", machine.held(0).length + machine.held(1).length, 0);
    calls += made.length;
    met += meetings(made);
  }
  fill(machine);
  if (met === 0) throw new CheckSkip(`none of ${calls} calls overlapped another in time`);
  return `${met} of ${calls} calls overlapped another in time`;
}

/** `reset.concurrent`, a statement of "Resetting". */
export const CONCURRENT_RESET_CHECKS: readonly Check[] = [
  {
    id: "reset.concurrent",
    statement: "resets called from several threads are serialised, and their counts add up",
    source: MAIN,
    where: "live",
    run: resetsAtOnce,
  },
];
