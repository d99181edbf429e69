// Bochs as the emulator of a machine with an Intel processor.
import { HostError } from "../ffi/errors.ts";
import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../ffi/linux.ts";
import { type MachineCalls, openMachineCalls } from "../ffi/machine.ts";
import { memoryFile } from "../ffi/process.ts";
import { UsageError } from "../host/errors.ts";
import { bootDisk } from "./boot_disk.ts";
import { findProgram, saidBy, startBound } from "./bound_process.ts";
import { type Boot, childEmulation, type Emulation, type Emulator } from "./emulator.ts";
import type { VmSettings } from "./vm_failure.ts";

/** What the configuration of a Bochs machine depends on. */
export interface BochsMachine {
  /** Memory in MiB. */
  readonly memoryMib: number;
  /** Paths of the boot disk and of the second disk. */
  readonly disks: readonly [string, string];
}

/** The machine's BIOS. */
const BIOS = "/usr/share/bochs/BIOS-bochs-latest";
/** The BIOS of its graphics card. */
const SCREEN_BIOS = "/usr/share/vgabios/vgabios.bin";

/**
 * Bochs' clock: this many instructions make a second of the machine. It is also the frequency of
 * its time stamp counter, in Hz.
 */
const IPS = 500_000_000;

/**
 * Kernel arguments for Bochs. They give the frequency of the time stamp counter, which the kernel
 * cannot measure there, and declare it reliable. They disable XSAVE's compacted format, which Bochs
 * does not implement consistently. They make a reboot a triple fault, which ends Bochs. `FROM_HOST`
 * names the third serial port as the one on which the host speaks.
 */
export const BOCHS_KERNEL_ARGS = `nokaslr noxsaves clearcpuid=xsaves,xsavec tsc_early_khz=${
  IPS / 1000
} tsc=reliable clocksource=tsc reboot=t FROM_HOST=/dev/ttyS2`;

/**
 * The configuration of Bochs, a bochsrc. The first serial port goes to standard error, the second
 * to file descriptor 3. They use mode `file`, in which Bochs waits until a byte is taken; in every
 * other mode it loses bytes that are not taken in time. That mode only writes, so the third port
 * reads from file descriptor 4, and nothing is written to it.
 */
export function bochsConfig({ memoryMib, disks }: BochsMachine): string {
  return [
    "display_library: term, options=hideIPS",
    "config_interface: textconfig",
    `cpu: model=corei7_skylake_x, ips=${IPS}, reset_on_triple_fault=0`,
    `memory: guest=${memoryMib}, host=${memoryMib}`,
    `romimage: file=${BIOS}`,
    `vgaromimage: file=${SCREEN_BIOS}`,
    "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
    `ata0-master: type=disk, mode=flat, path=${disks[0]}`,
    `ata0-slave: type=disk, mode=flat, path=${disks[1]}`,
    "boot: disk",
    "com1: enabled=1, mode=file, dev=/dev/stderr",
    "com2: enabled=1, mode=file, dev=/dev/fd/3",
    "com3: enabled=1, mode=term, dev=/dev/fd/4",
    "plugin_ctrl: speaker=0, parallel=0, gameport=0",
    "clock: sync=none, time0=utc",
    "log: /dev/null",
    "panic: action=fatal",
    "error: action=ignore",
    "info: action=ignore",
    "debug: action=ignore",
    "",
  ].join("\n");
}

/** How often the screen's output is read and dropped, in milliseconds. */
const READ_MS = 200;
const PIECE_BYTES = 1 << 14;

/**
 * The screen of Bochs, one end of a pseudoterminal that Bochs opens itself. Bochs blocks unless
 * somebody reads what the screen shows, so this class reads it, and drops it, for as long as the
 * process lives.
 */
export class BochsScreen implements Disposable {
  readonly #kernel = openLibc();
  readonly #calls: Pick<MachineCalls, "makeRaw">;
  #fd = -1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #path: string | null = null;
  #isOver = false;

  /**
   * Starts without a screen, which {@linkcode BochsScreen.foundIn} finds.
   *
   * @param calls The call that puts a terminal into raw mode.
   */
  constructor(calls: Pick<MachineCalls, "makeRaw"> = openMachineCalls()) {
    this.#calls = calls;
  }

  /** The path of the pseudoterminal's slave; `null` until Bochs has named it. */
  get path(): string | null {
    return this.#path;
  }

  /**
   * Looks for the screen's path in Bochs' output, and starts to read the screen.
   *
   * @returns The output, unchanged.
   */
  async *foundIn(said: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const decoder = new TextDecoder();
    let text: string | null = "";
    for await (const bytes of said) {
      if (text !== null) {
        text += decoder.decode(bytes, { stream: true });
        const found = /connected to screen "([^"]+)"/.exec(text);
        if (found !== null) {
          this.#path = found[1]!;
          this.#read(this.#path);
          text = null;
        }
      }
      yield bytes;
    }
  }

  #read(path: string): void {
    // Bochs has ended and taken the screen along. The path may belong to another terminal by now.
    if (this.#isOver) return;
    this.#fd = this.#kernel.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (this.#fd < 0) return;
    // Raw mode: an echo would be typed into the machine, and in line mode a line without an end
    // could never be read.
    this.#calls.makeRaw(this.#fd);
    const buffer = new Uint8Array(PIECE_BYTES);
    this.#timer = setInterval(() => {
      while (this.#kernel.read(this.#fd, buffer) > 0);
    }, READ_MS);
  }

  /** Stops reading and closes the terminal. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#fd >= 0) this.#kernel.close(this.#fd);
    this.#fd = -1;
  }
}

/** Where Debian installs Bochs' display plugin for terminals. */
const TERMINAL = "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so";
const FILES = [BIOS, SCREEN_BIOS, TERMINAL];
const INSTALL =
  "install Bochs (Debian: apt-get install --no-install-recommends bochs bochs-term bochsbios vgabios)";
/** The most memory that Bochs allocates, in MiB. */
const MOST_MIB = 2048;
const MINUTE_MS = 60_000;

/**
 * Finds Bochs, and checks that it can run the machine.
 *
 * @throws {HostError} Where Bochs, or a file that it needs, is missing.
 * @throws {UsageError} Where the settings ask for more processors or memory than Bochs can have.
 */
export async function findBochs({ cpus, memoryBytes }: VmSettings): Promise<Emulator> {
  const path = await findProgram(["bochs-bin", "bochs"]);
  if (path === null) throw new HostError("--vm-cpu intel: no bochs on PATH", INSTALL);
  for (const file of FILES) {
    if (await Deno.stat(file).then(() => false, () => true)) {
      throw new HostError(`--vm-cpu intel: no ${file}`, INSTALL);
    }
  }
  if (cpus !== null && cpus > 1) {
    throw new UsageError(`--vm-cpus ${cpus}: expected 1 with --vm-cpu intel, Bochs runs one well`);
  }
  if (memoryBytes > MOST_MIB * 2 ** 20) {
    throw new UsageError(
      `--vm-memory ${Math.ceil(memoryBytes / 2 ** 20)}MiB: expected ${MOST_MIB}MiB at most with ` +
        "--vm-cpu intel, Bochs has no more",
    );
  }
  return {
    name: `${await bochsVersion(path)}, in software`,
    kernelArgs: BOCHS_KERNEL_ARGS,
    timeoutMs: 60 * MINUTE_MS,
    silenceMs: 15 * MINUTE_MS,
    cpu: "intel",
    start: (boot) => start(path, boot),
  };
}

async function bochsVersion(path: string): Promise<string> {
  const found = /Bochs x86 Emulator ([\d.]+)/.exec(await saidBy(path, ["--help"], INSTALL));
  return found === null ? "Bochs" : `Bochs ${found[1]}`;
}

// Bochs prints much on standard output. That is sent to the console, and the second serial port
// gets a file descriptor of its own. The bytes for the machine get one, too, because Bochs'
// debugger would read standard input. `exec` keeps the process: the shell becomes Bochs.
const REDIRECT = 'exec 3>&1 4<&0 1>&2 0</dev/null; TERM=xterm exec "$@"';
/** Debian's Bochs starts in its debugger; this command continues. */
const COMMANDS = "c\n";

async function start(path: string, { image, initrd, cmdline, settings }: Boot): Promise<Emulation> {
  const { memoryBytes } = settings;
  using made = new DisposableStack();
  const file = (name: string, pieces: Iterable<Uint8Array>) =>
    made.use(memoryFile(name, pieces)).path;
  const text = (content: string) => [new TextEncoder().encode(content)];
  const kernel = await Deno.readFile(image.path);
  const boot = bootDisk({ kernel, initrdBytes: initrd.size, cmdline, memoryBytes });
  const config = bochsConfig({
    memoryMib: Math.ceil(memoryBytes / 2 ** 20),
    disks: [file("disk", boot), initrd.path],
  });
  const screen = made.use(new BochsScreen());
  const child = startBound([
    ...["/bin/sh", "-c", REDIRECT, "sh"],
    ...[path, "-q", "-f", file("bochsrc", text(config)), "-rc", file("commands", text(COMMANDS))],
  ]);
  const held = made.move();
  const emulation = childEmulation(child, () => held.dispose());
  return { ...emulation, console: screen.foundIn(emulation.console) };
}
