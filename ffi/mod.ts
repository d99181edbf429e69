/**
 * The boundary to the kernel. {@linkcode Kernel} has the few system calls that are needed to drive
 * KVM. Each answers as a system call does: a result, or minus an errno. {@linkcode openLibc} is the
 * real kernel; {@linkcode traceKernel} shows the calls of any. KVM's numbers and structs are here,
 * too, computed as the kernel's headers compute them.
 *
 * @example Calls that are shown, of a kernel in memory
 * ```ts
 * import { openModel } from "@dirtyring/dirtyring/model";
 * import { checked, errnoName, KVM_CREATE_VM, traceKernel } from "@dirtyring/dirtyring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const model = openModel({ version: "latest", pml: false, emulator: false });
 * const kernel = traceKernel(model, (line) => lines.push(line));
 * const fd = checked(kernel.open("/dev/kvm", 2), "open(/dev/kvm)");
 * assertEquals(errnoName(-kernel.ioctl(fd, KVM_CREATE_VM, 999)), "EINVAL"); // no such type of VM
 * assertEquals(lines.length, 2);
 * ```
 *
 * @module
 */
export type { Kernel, TraceOrder } from "./kernel.ts";
export type { Insight, PushStep, ResetCall, RingInsight } from "./insight.ts";
export { openLibc } from "./libc.ts";
export { traceKernel } from "./trace.ts";
export {
  checked,
  ERRNO,
  ERRNO_TABLE,
  type ErrnoName,
  errnoName,
  errnoText,
  HostError,
  KernelError,
  type KernelErrorOptions,
  type Limit,
  type Naming,
  WordedError,
  type Wording,
} from "./errors.ts";
export {
  KVM_CHECK_EXTENSION,
  KVM_CLEAR_DIRTY_LOG,
  KVM_CREATE_GUEST_MEMFD,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_ENABLE_CAP,
  KVM_GET_API_VERSION,
  KVM_GET_DIRTY_LOG,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_GET_STATS_FD,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_PRE_FAULT_MEMORY,
  KVM_RESET_DIRTY_RINGS,
  KVM_RUN,
  KVM_SET_CPUID2,
  KVM_SET_IDENTITY_MAP_ADDR,
  KVM_SET_MSRS,
  KVM_SET_REGS,
  KVM_SET_SIGNAL_MASK,
  KVM_SET_SREGS,
  KVM_SET_TSS_ADDR,
  KVM_SET_USER_MEMORY_REGION,
  KVM_SET_USER_MEMORY_REGION2,
  KVM_SMI,
} from "./kvm_ioctls.ts";
export {
  io,
  ior,
  iow,
  iowr,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  SEEK_END,
  SIGALRM,
  SIGSET_BYTES,
  SIGUSR1,
  SIGXFSZ,
  SYNCHRONOUS_SIGNALS,
} from "./linux.ts";
export { capabilityName, requestName } from "./names.ts";
export {
  exitName,
  KVM_CAP_BINARY_STATS_FD,
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_CAP_GUEST_MEMFD,
  KVM_CAP_IMMEDIATE_EXIT,
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
  KVM_CAP_MAX_VCPU_ID,
  KVM_CAP_MAX_VCPUS,
  KVM_CAP_MULTI_ADDRESS_SPACE,
  KVM_CAP_NR_MEMSLOTS,
  KVM_CAP_NR_VCPUS,
  KVM_CAP_PRE_FAULT_MEMORY,
  KVM_CAP_READONLY_MEM,
  KVM_CAP_SET_TSS_ADDR,
  KVM_CAP_VM_TYPES,
  KVM_CAP_X86_SMM,
  KVM_DIRTY_GFN_F_DIRTY,
  KVM_DIRTY_GFN_F_RESET,
  KVM_DIRTY_LOG_PAGE_OFFSET,
  KVM_EXIT_DIRTY_RING_FULL,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_READONLY,
  KVM_X86_SW_PROTECTED_VM,
} from "./kvm_constants.ts";
export {
  type FieldType,
  kvm_clear_dirty_log,
  kvm_cpuid2,
  kvm_cpuid_entry2,
  kvm_create_guest_memfd,
  kvm_dirty_gfn,
  kvm_dirty_log,
  kvm_dtable,
  kvm_enable_cap,
  kvm_msr_entry,
  kvm_msrs,
  kvm_pre_fault_memory,
  kvm_regs,
  kvm_run,
  kvm_segment,
  kvm_signal_mask,
  kvm_sregs,
  kvm_userspace_memory_region,
  kvm_userspace_memory_region2,
  type Register,
  type Scalar,
  type Struct,
  struct,
} from "./kvm_structs.ts";
