// QEMU as the emulator of a machine: with nested KVM where this host has it, otherwise in software.
import { HostError } from "../ffi/errors.ts";
import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_RDWR } from "../ffi/linux.ts";
import { UsageError } from "../host/errors.ts";
import { readLine } from "../host/facts.ts";
import { printable, quoted } from "../text/printable.ts";
import { findProgram, saidBy, startBound } from "./bound_process.ts";
import { type Boot, childEmulation, type Emulation, type Emulator } from "./emulator.ts";
import type { VmSettings } from "./vm_failure.ts";

const NAMES = ["qemu-system-x86_64", "/usr/libexec/qemu-kvm"];
/** The oldest version that was tried. */
const OLDEST = [7, 2] as const;
const INSTALL =
  "install it (Debian: qemu-system-x86; Fedora: qemu-system-x86-core), or put it on PATH";
/** The default number of virtual CPUs. */
const CPUS = 2;
const MINUTE_MS = 60_000;
/**
 * Kernel arguments for a software processor. On a busy host too few ticks arrive while the kernel
 * tests its timer, and it panics; `no_timer_check` skips that test. If both processors tick at the
 * same time, each guest exits whenever the other processor gets its turn, so a stale TLB entry
 * would never show; `skew_tick` spreads the ticks.
 */
const SOFTWARE_ARGS = "no_timer_check skew_tick=1";

/**
 * Finds QEMU, and decides between KVM and a software processor.
 *
 * @param nested The answer of {@linkcode nestedKvm}.
 * @throws {HostError} Where QEMU is missing or too old, or nested KVM was asked for and there is
 * none.
 * @throws {UsageError} Where a processor is asked for that this host's KVM does not have.
 */
export async function findQemu(
  { accel, cpu }: VmSettings,
  nested: NestedKvm,
): Promise<Emulator> {
  const path = await findProgram(NAMES);
  if (path === null) throw new HostError("--kernel: no qemu-system-x86_64 on PATH", INSTALL);
  const version = await qemuVersion(path);
  if (accel === "kvm" && typeof nested !== "object") {
    throw new HostError(`--vm-accel kvm: ${nested}`, "leave it out: a processor in software does");
  }
  const own = accel !== "tcg" && typeof nested === "object" && (cpu ?? nested.cpu) === nested.cpu
    ? nested.cpu
    : null;
  if (accel === "kvm" && own === null) {
    throw new UsageError(
      `--vm-cpu ${cpu}: this host's processor is another, and --vm-accel is kvm`,
    );
  }
  const processor = own === null
    // Run all virtual CPUs in one thread: with a thread each, QEMU occasionally runs code that the
    // kernel is just patching.
    ? ["-accel", "tcg,thread=single", "-cpu", "EPYC,+svm,+npt"]
    : ["-accel", "kvm", "-cpu", "host"];
  return {
    name: `QEMU ${version}, ${own === null ? "in software" : "with KVM"}`,
    kernelArgs: own === null ? SOFTWARE_ARGS : "",
    timeoutMs: 15 * MINUTE_MS,
    silenceMs: 2 * MINUTE_MS,
    cpu: own ?? "amd",
    start: (boot) => Promise.resolve(start(path, processor, boot)),
  };
}

async function qemuVersion(path: string): Promise<string> {
  const text = await saidBy(path, ["--version"], INSTALL);
  const found = /version (\d+)\.(\d+)[\d.]*/.exec(text);
  if (found === null) {
    throw new HostError(`${printable(path)}: --version says ${quoted(text, 60)}`, INSTALL);
  }
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new HostError(
      `${printable(path)}: is version ${major}.${minor}; expected ${OLDEST.join(".")} or newer`,
      INSTALL,
    );
  }
  return found[0].slice("version ".length);
}

function start(path: string, processor: readonly string[], boot: Boot): Emulation {
  const { image, initrd, cmdline, settings } = boot;
  return childEmulation(startBound([
    path,
    ...["-machine", "q35", ...processor, "-smp", `${settings.cpus ?? CPUS}`],
    ...["-m", `${Math.ceil(settings.memoryBytes / 2 ** 20)}M`],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-chardev", "file,id=console,path=/dev/stderr", "-serial", "chardev:console"],
    ...["-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line"],
    ...["-kernel", image.path, "-initrd", initrd.path, "-append", cmdline],
  ]));
}

/**
 * The vendor of this host's processor where its KVM supports nested virtualization, otherwise a
 * text that says why there is none.
 */
export type NestedKvm = { readonly cpu: "amd" | "intel" } | string;

/**
 * Checks whether this host's KVM supports nested virtualization.
 *
 * @throws {HostError} Where libc cannot be called.
 */
export function nestedKvm(): NestedKvm {
  const kernel = openLibc();
  const fd = kernel.open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) return "/dev/kvm cannot be used here";
  kernel.close(fd);
  for (const cpu of ["amd", "intel"] as const) {
    const nested = readLine(kernel, `/sys/module/kvm_${cpu}/parameters/nested`);
    if (nested === "1" || nested === "Y") return { cpu };
  }
  return "the KVM of this host has no nested virtualization";
}
