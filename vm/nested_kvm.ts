import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_RDWR } from "../ffi/linux.ts";
import { readLine } from "../lab/read_file.ts";

/** Whose processor a KVM is for whose machines can have KVM themselves, or why this host has none. */
export type NestedKvm = { readonly cpu: "amd" | "intel" } | string;

/**
 * Looks for a KVM of this host whose machines can have KVM themselves.
 *
 * @returns What was found.
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
