// The machine of `--kernel`: boots a kernel in an emulator, runs one command in it, and passes on
// what it says.
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

/** Exit statuses with which a command always prints a reason on standard error. */
const ALWAYS_TOLD: ReadonlySet<number> = new Set([EXIT.USAGE, EXIT.KERNEL, EXIT.DEFECT]);

/** The parts of a machine to run. */
export interface MachineWish {
  /** Its kernel. */
  readonly kernel: KernelSource;
  /** The machine's settings. */
  readonly settings: VmSettings;
  /** The emulator that runs it. */
  readonly emulator: Emulator;
  /** Builds the initramfs, which contains the request. The caller disposes it. */
  initrd(): Promise<MemoryFile>;
}

/** Receives what a machine says. */
export interface MachineListener {
  /** Called once the kernel has booted and KVM is available. */
  booted(kernel: KernelFacts): void;
  /** Receives the command's standard output. Returns whether anybody still reads it. */
  stdout(bytes: Uint8Array): Promise<boolean> | boolean;
  /** Receives the command's standard error. Returns whether anybody still reads it. */
  stderr(bytes: Uint8Array): Promise<boolean> | boolean;
  /** Receives a file that the command wrote, compressed ("deflate-raw"). */
  file(file: GuestFile, bytes: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void>;
}

/**
 * How a command in a machine ended: with an exit status, or by an interrupt that came before the
 * command started or that it ignored.
 */
export type MachineEnd = { readonly code: number } | { readonly interrupted: InterruptSignal };

/**
 * How long a command may take to end after an interrupt, as a fraction of the machine's time limit.
 */
const HEED_PART = 1 / 15;

/**
 * Kernel arguments of every machine. The console is the first serial port; a panic ends the
 * machine; messages that the command writes to /dev/kmsg are not rate limited. CPU mitigations and
 * the self-tests of ciphers, which take a second, are off: a machine that is thrown away does not
 * need them.
 */
const KERNEL_ARGS =
  "console=ttyS0 loglevel=4 panic=-1 mitigations=off cryptomgr.notests printk.devkmsg=on";
/** Process 1 is Deno. Arguments that the kernel does not know become its environment. */
const INIT_ARGS = "rdinit=/bin/deno HOME=/root DENO_DIR=/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1";
const INIT = "run --quiet --no-prompt --no-config --no-lock --no-check --cached-only --allow-all " +
  "/dirtyring/vm_init.ts";
/** The longest command line: COMMAND_LINE_SIZE of x86 without its NUL. */
const MOST_CMDLINE = 2047;

/**
 * Runs one command in a machine of its own, from boot to end. This is the whole computer that
 * `--kernel` boots. The `Machine` of `conformance/kit/machine.ts` is only a VM that a check drives
 * through KVM; it may run inside this one.
 */
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

  /** Does not boot the machine yet. */
  constructor(wish: MachineWish, listener: MachineListener) {
    this.#wish = wish;
    this.#listener = listener;
  }

  /** The last lines of the console. */
  get console(): readonly string[] {
    return this.#console.last;
  }

  /**
   * Boots the machine and waits for its end. No process of it is left afterwards.
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
    // An interrupt came while the emulator was starting.
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

  /** Passes an interrupt on to the command. Where the command has not started, ends the machine. */
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

  // Reads frames until the command ends; returns `null` where the line ends first.
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
        // For example, the machine's kernel killed it for lack of memory.
        const how = isSilent ? ", and did not say why" : "";
        throw this.#failure(`the command in it ended with status ${end.code}${how}`);
      }
      default:
        return null;
    }
  }

  // Explains why the emulator ended before the command's end was reported.
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

/** The bytes of a file as they arrive. The reader may stop before the end: that is not an error. */
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

  /** Adds bytes once the last ones were taken. An empty array ends the file. */
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

  /** Ends the file early: the reader gets an error, unless the file was complete. */
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
 * Calls `bark` where nothing was heard for a while. It counts its own ticks instead of comparing
 * times: this process may have been stopped, or blocked by the reader of its output, while the
 * machine was fine.
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
 * Explains why a kernel that booted has no usable KVM.
 *
 * @param problem What the machine's first process found.
 * @param cpu The vendor of the machine's virtualization.
 * @param console The last lines of the machine's console.
 * @returns A {@linkcode HostError} where the kernel or its modules lack something; a
 * {@linkcode VmFailure} where the first process failed.
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
