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

/** What a machine of Bochs is made of. */
export interface BochsMachine {
  /** Its memory in MiB. */
  readonly memoryMib: number;
  /** The disk that it boots from, and the one beside it. */
  readonly disks: readonly [string, string];
}

/** The code that a machine begins with. */
const BIOS = "/usr/share/bochs/BIOS-bochs-latest";
/** The code of its screen. */
const SCREEN_BIOS = "/usr/share/vgabios/vgabios.bin";

/** Bochs' clock: so many instructions are a second of the machine, and so fast is its time stamp counter. */
const IPS = 500_000_000;

/**
 * What the kernel needs to be told on Bochs: how fast the time stamp counter is, which it cannot measure and may trust;
 * that XSAVE's compacted areas, which are not consistent there, are not to be used; and that a reboot is a triple fault,
 * which ends Bochs. What the host says comes on the third serial port.
 */
export const BOCHS_KERNEL_ARGS = `nokaslr noxsaves clearcpuid=xsaves,xsavec tsc_early_khz=${
  IPS / 1000
} tsc=reliable clocksource=tsc reboot=t FROM_HOST=/dev/ttyS2`;

/**
 * The configuration of Bochs, a bochsrc. The first serial port is standard error. The second is file descriptor 3: in
 * its mode `file` Bochs waits until a byte is taken, in every other it loses what is not taken in time. That mode only
 * writes, so the third one reads: file descriptor 4, where nothing is written to.
 *
 * @returns The text.
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

/** How often what it shows is taken away. */
const READ_MS = 200;
const PIECE_BYTES = 1 << 14;

/**
 * The screen of Bochs: the master of a terminal pair that it opens itself. What it shows has to be read by somebody, or
 * it waits: this process does, as long as it lives, and looks at none of it.
 */
export class BochsScreen implements Disposable {
  readonly #kernel = openLibc();
  readonly #calls: Pick<MachineCalls, "makeRaw">;
  #fd = -1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #path: string | null = null;
  #isOver = false;

  /**
   * None was found yet.
   *
   * @param calls What sets a terminal up.
   */
  constructor(calls: Pick<MachineCalls, "makeRaw"> = openMachineCalls()) {
    this.#calls = calls;
  }

  /** The slave of the terminal pair, or `null` where Bochs has not told of it yet. */
  get path(): string | null {
    return this.#path;
  }

  /**
   * Finds the screen in what Bochs says, and begins to read it.
   *
   * @returns The same.
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
    // The screen went with Bochs: its name may be another terminal's by now.
    if (this.#isOver) return;
    this.#fd = this.#kernel.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (this.#fd < 0) return;
    // An echo would be typed into the machine, and a line that does not end would never be there to be read.
    this.#calls.makeRaw(this.#fd);
    const buffer = new Uint8Array(PIECE_BYTES);
    this.#timer = setInterval(() => {
      while (this.#kernel.read(this.#fd, buffer) > 0);
    }, READ_MS);
  }

  /** Reads no more. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#fd >= 0) this.#kernel.close(this.#fd);
    this.#fd = -1;
  }
}

/** Where Debian has Bochs' screen for terminals. */
const TERMINAL = "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so";
const FILES = [BIOS, SCREEN_BIOS, TERMINAL];
const INSTALL =
  "install Bochs (Debian: apt-get install --no-install-recommends bochs bochs-term bochsbios vgabios)";
/** Bochs allocates no more. */
const MOST_MIB = 2048;
const MINUTE_MS = 60_000;

/**
 * Looks whether Bochs is there.
 *
 * @throws {HostError} Where a part of it is missing.
 * @throws {UsageError} Where a machine is asked for that it cannot be.
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

// Bochs says much on standard output: that goes to the console, and the line gets a file descriptor of its own. So do
// the bytes for the machine, as Bochs' debugger would read them. The shell becomes Bochs, and stays the same process.
const REDIRECT = 'exec 3>&1 4<&0 1>&2 0</dev/null; TERM=xterm exec "$@"';
/** Debian's Bochs begins in its debugger: "continue". */
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
