import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import { readLine } from "./read_file.ts";

/** Which kernel answered: stands in every result. */
export interface KernelFacts {
  /** `"kvm"` for a real `/dev/kvm`. */
  readonly backend: "kvm" | "model";
  /** The kernel's release, as `uname -r` prints it. */
  readonly release: string;
  /** The KVM module that answers, `null` where none is known to be loaded. */
  readonly module: string | null;
  /** The largest ring in bytes, as `KVM_CAP_DIRTY_LOG_RING` answers; `null` where KVM is unusable. */
  readonly ringMaxBytes: number | null;
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
 * The KVM module that drives this processor.
 *
 * @param kernel The kernel that answers.
 * @returns Its name, or `null` where none is loaded.
 */
export function kvmModule(kernel: Kernel): string | null {
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
 * Whether the module says that it uses page-modification logging.
 *
 * @param kernel The kernel that answers.
 * @param module The module, if one is known.
 * @returns Its `pml` parameter, or `null` where it has none.
 */
export function pageModificationLogging(kernel: Kernel, module: string | null): boolean | null {
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
    release: kernelRelease(kernel),
    module: kvmModule(kernel),
    ringMaxBytes,
  };
}
