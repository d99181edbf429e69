import { errnoText, HostError } from "../ffi/errors.ts";
import type { MemoryFile } from "../ffi/process.ts";
import { EXIT } from "../host/errors.ts";
import type { KernelFacts } from "../host/facts.ts";
import type { InterruptSignal } from "../host/interrupt.ts";
import { printable } from "../text/printable.ts";
import {
  COMMAND_STATUSES,
  GUEST_END,
  GUEST_FILE,
  GUEST_PROBLEM,
  KERNEL_FACTS,
  said,
  VmConsole,
} from "./console.ts";
import type { Emulation, Emulator } from "./emulator.ts";
import { type Frame, FrameError, framesOf, jsonFrame } from "./frames.ts";
import type { GuestFile, GuestProblem } from "./guest_request.ts";
import type { KernelSource } from "./kernel_source.ts";
import { type VmCpu, VmFailure, type VmSettings } from "./vm_failure.ts";

/** Statuses of a command that says on standard error what is wrong. */
const ALWAYS_TOLD: ReadonlySet<number> = new Set([EXIT.USAGE, EXIT.KERNEL, EXIT.DEFECT]);

/** A machine that is wanted. */
export interface MachineWish {
  /** Its kernel. */
  readonly kernel: KernelSource;
  /** What it shall be. */
  readonly settings: VmSettings;
  /** What runs it. */
  readonly emulator: Emulator;
  /** Makes its initramfs, which holds what is asked of it. */
  initrd(): Promise<MemoryFile>;
}

/** Who gets what a machine says. */
export interface MachineListener {
  /** The kernel has booted, and KVM is there. */
  booted(kernel: KernelFacts): void;
  /** Bytes of the command's standard output. Answers whether somebody reads on. */
  stdout(bytes: Uint8Array): Promise<boolean> | boolean;
  /** Bytes of its standard error. */
  stderr(bytes: Uint8Array): Promise<boolean> | boolean;
  /** A file that the command wrote, compressed ("deflate-raw"). */
  file(file: GuestFile, bytes: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void>;
}

/** How a command in a machine ended: with its exit status, or by an interrupt before it began or that it did not heed. */
export type MachineEnd = { readonly code: number } | { readonly interrupted: InterruptSignal };

/** How long a command may take to end after an interrupt, in parts of the machine's time limit. */
const HEED_PART = 1 / 15;

/**
 * Kernel arguments of every machine. The console is the first serial port; a panic ends the machine; what the command
 * says to /dev/kmsg is not held back; and neither the processor's flaws nor tests of ciphers, which take a second, are
 * any concern of a machine that is thrown away.
 */
const KERNEL_ARGS =
  "console=ttyS0 loglevel=4 panic=-1 mitigations=off cryptomgr.notests printk.devkmsg=on";
/** Process 1: Deno, of whose environment the kernel hands over what it does not know itself. */
const INIT_ARGS = "rdinit=/bin/deno HOME=/root DENO_DIR=/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1";
const INIT = "run --quiet --no-prompt --no-config --no-lock --no-check --cached-only --allow-all " +
  "/dirtyring/vm_init.ts";
/** COMMAND_LINE_SIZE of x86, with its NUL. */
const MOST_CMDLINE = 2047;

/** Runs a command in a machine of its own, from its boot to its end. */
export class Machine {
  readonly #wish: MachineWish;
  readonly #listener: MachineListener;
  readonly #console = new VmConsole();
  #emulation: Emulation | null = null;
  #isUp = false;
  #hasComplained = false;
  #interrupted: InterruptSignal | null = null;
  #stop: (outcome: MachineEnd | Error) => void = () => {};
  #heed: ReturnType<typeof setTimeout> | undefined;

  /**
   * Takes a wish.
   *
   * @param listener Gets what it says.
   */
  constructor(wish: MachineWish, listener: MachineListener) {
    this.#wish = wish;
    this.#listener = listener;
  }

  /** The last lines of the console. */
  get console(): readonly string[] {
    return this.#console.last;
  }

  /**
   * Boots it and waits for the end. Nothing of it is left then.
   *
   * @returns How the command ended.
   * @throws {VmFailure} Where the kernel did not boot, panicked, hung, or ran out of time.
   * @throws {HostError} Where the emulator, or this kernel's KVM, cannot be used.
   */
  async run(): Promise<MachineEnd> {
    const { emulator, kernel, settings } = this.#wish;
    using initrd = await this.#wish.initrd();
    if (this.#interrupted !== null) return { interrupted: this.#interrupted };
    const words = [KERNEL_ARGS, emulator.kernelArgs, INIT_ARGS, settings.kernelArgs, "--", INIT];
    const cmdline = words.filter((one) => one !== "").join(" ");
    if (cmdline.length > MOST_CMDLINE) {
      throw new HostError(
        `the kernel's command line would have ${cmdline.length} characters`,
        `shorten --kernel-args: a kernel takes ${MOST_CMDLINE}`,
      );
    }
    const emulation = await emulator.start({
      image: kernel.image,
      initrd,
      cmdline,
      settings,
    });
    this.#emulation = emulation;
    const timeoutMs = settings.timeoutMs ?? emulator.timeoutMs;
    const stopped = new Promise<MachineEnd | Error>((resolve) => this.#stop = resolve);
    // It came while the emulator was being started.
    if (this.#interrupted !== null) this.#stop({ interrupted: this.#interrupted });
    const limit = setTimeout(
      () => this.#stop(this.#failure(`did not end within ${seconds(timeoutMs)} (--vm-timeout)`)),
      timeoutMs,
    );
    const watchdog = new Watchdog(
      emulator.silenceMs,
      () =>
        this.#stop(
          this.#failure(
            `gave no sign of life for ${seconds(emulator.silenceMs)}: the kernel hangs`,
          ),
        ),
    );
    const consoleRead = this.#readConsole(emulation, watchdog);
    const lineRead = this.#readLine(emulation, watchdog).then(
      async (end) => this.#stop(end ?? await this.#ended(emulation, consoleRead)),
      (error) => this.#stop(error),
    );
    try {
      const outcome = await stopped;
      if (outcome instanceof Error) throw outcome;
      return outcome;
    } finally {
      clearTimeout(limit);
      clearTimeout(this.#heed);
      watchdog.stop();
      await emulation.kill();
      await Promise.all([consoleRead, lineRead]);
    }
  }

  /** Passes an interrupt on to the command; where it has not begun, this ends the machine. */
  interrupt(signal: InterruptSignal): void {
    this.#interrupted ??= signal;
    const emulation = this.#emulation;
    if (emulation === null || !this.#isUp) return this.#stop({ interrupted: signal });
    emulation.write(jsonFrame("signal", signal));
    const { settings, emulator } = this.#wish;
    const heedMs = (settings.timeoutMs ?? emulator.timeoutMs) * HEED_PART;
    this.#heed ??= setTimeout(() => this.#stop({ interrupted: signal }), heedMs);
  }

  async #readConsole(emulation: Emulation, watchdog: Watchdog): Promise<void> {
    for await (const bytes of emulation.console) {
      watchdog.hear();
      this.#console.add(bytes);
    }
  }

  // Until the command's end, or the line's.
  async #readLine(emulation: Emulation, watchdog: Watchdog): Promise<MachineEnd | null> {
    const heard = async function* (line: AsyncIterable<Uint8Array>) {
      for await (const bytes of line) {
        watchdog.hear();
        yield bytes;
      }
    };
    let file: FileBytes | null = null;
    try {
      for await (const frame of framesOf(heard(emulation.line))) {
        if (frame.kind === "bytes") {
          await file?.add(frame.body);
          continue;
        }
        if (frame.kind === "file") {
          await file?.abort();
          file = new FileBytes();
          file.done = this.#listener.file(said(frame, GUEST_FILE), file.stream);
          file.done.catch(() => {});
          continue;
        }
        const end = await this.#hear(frame, emulation);
        if (end !== null) return end;
      }
    } catch (error) {
      throw error instanceof FrameError ? this.#failure(error.message) : error;
    } finally {
      await file?.abort();
    }
    return null;
  }

  async #hear(frame: Frame, emulation: Emulation): Promise<MachineEnd | null> {
    switch (frame.kind) {
      case "hello": {
        this.#isUp = true;
        this.#listener.booted(said(frame, KERNEL_FACTS));
        return null;
      }
      case "stdout":
      case "stderr":
        this.#hasComplained ||= frame.kind === "stderr";
        if (!await this.#listener[frame.kind](frame.body)) {
          emulation.write(jsonFrame("close", frame.kind));
        }
        return null;
      case "problem":
        throw kvmProblem(
          said(frame, GUEST_PROBLEM),
          this.#wish.kernel,
          this.#wish.emulator.cpu,
          this.#console.last,
        );
      case "end": {
        const end = said(frame, GUEST_END);
        const isSilent = ALWAYS_TOLD.has(end.code) && !this.#hasComplained;
        if (COMMAND_STATUSES.has(end.code) && !isSilent) return end;
        // Its kernel killed it, say, for want of memory.
        const how = isSilent ? ", and did not say why" : "";
        throw this.#failure(`the command in it ended with status ${end.code}${how}`);
      }
      default:
        return null;
    }
  }

  // The process is gone before the command's end was told.
  async #ended(emulation: Emulation, consoleRead: Promise<void>): Promise<Error> {
    const { code } = await emulation.ended;
    await consoleRead;
    const { panic, complaint } = this.#console;
    if (panic !== null) return this.#failure(`the kernel panicked: ${printable(panic)}`);
    if (!this.#isUp && code !== 0 && complaint !== null) {
      return new HostError(
        `${this.#wish.emulator.name}: ${printable(complaint)}`,
        "see --vm-memory, --vm-accel and --vm-cpus",
      );
    }
    return this.#failure(this.#isUp ? "the machine stopped" : "the kernel did not boot");
  }

  #failure(what: string): VmFailure {
    const { step, last } = this.#console;
    const { path } = this.#wish.kernel.image;
    const where = step === null
      ? (this.#isUp ? "" : ", while it booted")
      : `; ${printable(step)} was running`;
    return new VmFailure(`${printable(path)}: ${what}${where}`, last);
  }
}

/** The bytes of a file as they come. Who takes them may have done with them before their end: that is no error. */
class FileBytes {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  done: Promise<void> = Promise.resolve();
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #wanted = Promise.withResolvers<void>();
  #isOpen = true;

  constructor() {
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#wanted.resolve(),
      cancel: () => this.#close(),
    }, { highWaterMark: 0 });
  }

  /** Adds bytes when the last were taken; none at all is the end. */
  async add(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await Promise.race([this.done, this.#wanted.promise]);
    if (this.#isOpen && bytes.length > 0) {
      this.#wanted = Promise.withResolvers();
      this.#controller.enqueue(bytes);
    }
    if (bytes.length > 0) return;
    if (this.#isOpen) this.#controller.close();
    this.#close();
    await this.done;
  }

  /** There will be no more: who takes them is told, unless that was all. */
  async abort(): Promise<void> {
    if (this.#isOpen) this.#controller.error(new Error("the machine has ended"));
    this.#close();
    await this.done.catch(() => {});
  }

  #close(): void {
    this.#isOpen = false;
    this.#wanted.resolve();
  }
}

/**
 * Calls out where nothing was heard for a while. It counts its turns and not the time: this process may have been
 * stopped, or held up by who reads what it prints, while the machine was well.
 */
class Watchdog {
  readonly #timer: ReturnType<typeof setInterval>;
  #quietMs = 0;

  constructor(ms: number, bark: () => void) {
    const turnMs = Math.min(1000, ms / 4);
    this.#timer = setInterval(() => {
      this.#quietMs += turnMs;
      if (this.#quietMs > ms) bark();
    }, turnMs);
  }

  hear(): void {
    this.#quietMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function seconds(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1000)} s`;
}

/**
 * Why a kernel that booted has no KVM to be asked.
 *
 * @param problem What its first process found.
 * @param cpu Whose virtualization the machine has.
 * @param console The last lines of its console.
 * @returns The error: of the host where the kernel or its modules lack something.
 */
function kvmProblem(
  problem: GuestProblem,
  { image, modules }: KernelSource,
  cpu: VmCpu,
  console: readonly string[],
): Error {
  const { refused, words, error } = problem;
  if (error !== null) {
    return new VmFailure(`${printable(image.path)}: ${printable(error)}`, console);
  }
  const what = `${printable(image.path)} (${printable(image.release)})`;
  const module = `CONFIG_KVM_${cpu.toUpperCase()}`;
  const said = words.at(-1);
  if (refused.length > 0) {
    const { name, errno } = refused.at(-1)!;
    return new HostError(
      `${what}: init_module(${printable(name)}): ${errnoText(errno)}${
        said === undefined ? "" : `; it says: ${printable(said)}`
      }`,
      "use modules of the same build, and --vm-cpu for another processor",
    );
  }
  if (said !== undefined) {
    return new HostError(
      `${what}: its KVM refuses this processor: ${printable(said)}`,
      `build it with ${module}`,
    );
  }
  return new HostError(
    `${what}: has no KVM, ${
      modules === null ? "and no modules of it were found" : `nor has ${printable(modules)}`
    }`,
    `build it with CONFIG_KVM and ${module}, or give the folder of its modules with --modules`,
  );
}
