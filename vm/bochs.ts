import { HostError } from "../ffi/host_error.ts";
import { memoryFile } from "../ffi/memory_file.ts";
import { UsageError } from "../lab/usage_error.ts";
import { BIOS, BOCHS_KERNEL_ARGS, bochsConfig, SCREEN_BIOS } from "./bochs_config.ts";
import { BochsScreen } from "./bochs_screen.ts";
import { bootDisk } from "./boot_disk.ts";
import { childEmulation } from "./child_emulation.ts";
import { findProgram, saidBy, startBound } from "./bound_process.ts";
import type { Boot, Emulation, Emulator } from "./emulator.ts";
import type { VmSettings } from "./vm_settings.ts";

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
 * @param settings What is asked for.
 * @returns Bochs.
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
