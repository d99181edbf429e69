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

const MODULES = ["kvm_intel", "kvm_amd", "kvm_pvm"] as const;

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
  for (const name of MODULES) {
    const fd = kernel.open(`/sys/module/${name}`, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    kernel.close(fd);
    return name;
  }
  return null;
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
