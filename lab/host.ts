import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import { readLine } from "./read_file.ts";

/** Which kernel answered: stands in every result. */
export interface KernelFacts {
  /** `"kvm"` for a real `/dev/kvm`, `"model"` for one in memory. */
  readonly backend: "kvm" | "model";
  /** The model's version and traits, `"v6.17+pml"`; `null` for a real kernel. */
  readonly model: string | null;
  /** The kernel's release, as `uname -r` prints it; a model has one of its version. */
  readonly release: string;
  /** The KVM module that answers, `null` where none is known to be loaded, and for the model. */
  readonly module: string | null;
  /** The largest ring in bytes, as `KVM_CAP_DIRTY_LOG_RING` answers; `null` where KVM is unusable. */
  readonly ringMaxBytes: number | null;
}

/** What every result begins with. */
export interface Result {
  /** What it is, with a version: `"dirtyring.dump/1"`. */
  readonly schema: string;
  /** Which kernel answered. */
  readonly kernel: KernelFacts;
}

// kvm_pvm first: it stands beside a built-in kvm_intel or kvm_amd that it took over from.
const MODULES = ["kvm_pvm", "kvm_intel", "kvm_amd"] as const;

/**
 * The kernel's release.
 *
 * @param kernel The kernel that answers.
 * @returns What `uname -r` prints, or `"unknown"`.
 */
export function kernelRelease(kernel: Kernel): string {
  return readLine(kernel, "/proc/sys/kernel/osrelease") ?? "unknown";
}

/**
 * The kernel's version, as its tags are named. It tells of the latest model, too, which one that is.
 *
 * @param kernel The kernel that answers.
 * @returns `"v6.18"`, or `"unknown"`.
 */
export function kernelVersion(kernel: Kernel): string {
  const release = kernelRelease(kernel);
  const version = /^\d+\.\d+/.exec(release);
  return version === null ? release : `v${version[0]}`;
}

/**
 * The KVM module that drives this processor.
 *
 * @param kernel The kernel that answers.
 * @returns Its name, or `null` where none is loaded. The model has none.
 */
export function kvmModule(kernel: Kernel): string | null {
  if (kernel.backend === "model") return null;
  const found = MODULES.filter((name) => isLoaded(kernel, name));
  const [first] = found;
  if (first === undefined || found.length === 1 || first === "kvm_pvm") return first ?? null;
  // Both are built in: the processor's vendor says which of them drives it.
  const isAmd = (readLine(kernel, "/proc/cpuinfo") ?? "").includes("AuthenticAMD");
  return isAmd ? "kvm_amd" : "kvm_intel";
}

function isLoaded(kernel: Kernel, module: string): boolean {
  const fd = kernel.open(`/sys/module/${module}`, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  kernel.close(fd);
  return true;
}

/**
 * Whether the module, or the model, says that it uses page-modification logging.
 *
 * @param kernel The kernel that answers.
 * @param module The module, if one is known.
 * @returns Its `pml` parameter, or `null` where it has none.
 */
export function pageModificationLogging(kernel: Kernel, module: string | null): boolean | null {
  if (kernel.insight !== null) return kernel.insight.pml;
  if (module === null) return null;
  const value = readLine(kernel, `/sys/module/${module}/parameters/pml`);
  return value === null ? null : value === "Y" || value === "1";
}

/**
 * Which kernel answers.
 *
 * @param kernel The kernel.
 * @param ringMaxBytes What it answered for `KVM_CAP_DIRTY_LOG_RING`.
 * @returns The facts for a result.
 */
export function kernelFacts(kernel: Kernel, ringMaxBytes: number | null): KernelFacts {
  return {
    backend: kernel.backend,
    model: modelText(kernel),
    release: kernelRelease(kernel),
    module: kvmModule(kernel),
    ringMaxBytes,
  };
}

function modelText(kernel: Kernel): string | null {
  if (kernel.insight === null) return null;
  const { pml, emulator } = kernel.insight;
  return kernelVersion(kernel) + (pml ? "+pml" : "") + (emulator ? "+emulator" : "");
}
