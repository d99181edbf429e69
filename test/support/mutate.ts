// Tools to make wrong kernels from the model. Each breaks one promise, to prove that the checks
// notice.
import type { ModelKind } from "../../ffi/insight.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_PRE_FAULT_MEMORY } from "../../ffi/kvm_ioctls.ts";
import { kvm_pre_fault_memory } from "../../ffi/kvm_structs.ts";
import type { Rules } from "../../model/dirty_ring.ts";
import { openModel } from "../../model/model_kernel.ts";
import { type LoggedVcpu, ModelVm } from "../../model/vm.ts";

/** A wrong kernel. */
export interface Mutation {
  /** What is wrong. */
  readonly name: string;
  /** The model that it is made from; the latest version by default. */
  readonly choice?: Partial<ModelKind>;
  /** Rules that differ. */
  readonly rules?: Partial<Rules>;
  /** Wraps the kernel, to change calls. */
  readonly wrap?: (kernel: Kernel) => Kernel;
  /** Patches the model while the wrong kernel is in use; returns a function that undoes it. */
  readonly patch?: () => () => void;
}

export type Ioctl = Kernel["ioctl"];
export const EINVAL = -22;
export const PAGE = 4096;

export function openMutation({ choice, rules, wrap }: Mutation): Kernel {
  const model = openModel({ version: "latest", pml: false, emulator: false, ...choice }, rules);
  return wrap?.(model) ?? model;
}

/** Runs a function with a wrong kernel, and then restores the model. */
export async function withMutation<T>(
  mutation: Mutation,
  ask: (open: () => Kernel) => Promise<T>,
): Promise<T> {
  const restore = mutation.patch?.();
  try {
    return await ask(() => openMutation(mutation));
  } finally {
    restore?.();
  }
}

// Replaces ioctl().
export function ioctl(change: (next: Ioctl, ...call: Parameters<Ioctl>) => number) {
  return (kernel: Kernel): Kernel => ({
    ...kernel,
    ioctl: (...call) => change(kernel.ioctl, ...call),
  });
}

// Changes the answer of one ioctl request.
export function answer(
  request: number,
  change: (answer: number, argument: Parameters<Ioctl>[2]) => number,
) {
  return ioctl((next, fd, asked, argument) => {
    const result = next(fd, asked, argument);
    return asked === request ? change(result, argument) : result;
  });
}

export function mmap(
  change: (next: Kernel["mmap"], ...call: Parameters<Kernel["mmap"]>) => number,
) {
  return (kernel: Kernel): Kernel => ({
    ...kernel,
    mmap: (...call) => change(kernel.mmap, ...call),
  });
}

export function insight(change: Partial<NonNullable<Kernel["insight"]>>) {
  return (kernel: Kernel): Kernel => ({
    ...kernel,
    insight: { ...kernel.insight!, ...change },
  });
}

export type Methods = Pick<
  ModelVm,
  | "kvm_vm_ioctl_enable_dirty_log_ring"
  | "mark_page_dirty_in_slot"
  | "kvm_vm_ioctl_reset_dirty_pages"
  | "kvm_reset_dirty_gfn"
  | "kvm_set_memory_region"
  | "kvm_write_wall_clock"
  | "noteDevice"
>;

// Replaces a method of the model's VM.
export function method<Name extends keyof Methods>(
  name: Name,
  make: (old: Methods[Name]) => (this: ModelVm, ...args: Parameters<Methods[Name]>) => unknown,
) {
  return () => {
    const prototype = ModelVm.prototype;
    const old = prototype[name];
    Object.defineProperty(prototype, name, { value: make(old), configurable: true });
    return () => Object.defineProperty(prototype, name, { value: old, configurable: true });
  };
}

export const enable = (change: (vm: ModelVm, bytes: number, old: () => number) => number) =>
  method("kvm_vm_ioctl_enable_dirty_log_ring", (old) =>
    function (bytes) {
      return change(this, Number(BigInt.asUintN(32, bytes)), () => old.call(this, bytes));
    });

export const push = (
  change: (
    vm: ModelVm,
    page: { slot: Parameters<Methods["mark_page_dirty_in_slot"]>[0]; page: number },
    vcpu: LoggedVcpu,
    old: (vcpu?: LoggedVcpu) => void,
  ) => void,
) =>
  method("mark_page_dirty_in_slot", (old) =>
    function (slot, page, vcpu) {
      change(this, { slot, page }, vcpu, (to = vcpu) => old.call(this, slot, page, to));
    });

export const reset = (change: (vm: ModelVm, old: () => number) => number) =>
  method("kvm_vm_ioctl_reset_dirty_pages", (old) =>
    function () {
      return change(this, () => old.call(this));
    });

// The rings of a VM's vCPUs.
export const rings = (vm: ModelVm) => vm.vcpus.flatMap(({ ring }) => ring === null ? [] : [ring]);

// The last entry pushed, as 32-bit words.
export function lastPushed({ ring }: LoggedVcpu): Uint32Array {
  if (ring === null) return new Uint32Array(4);
  const at = ((ring.dirty_index + ring.size - 1) % ring.size) * 4;
  return ring.dirty_gfns.subarray(at, at + 4);
}

// Changes the flags of all entries in use before each reset.
export function flagsBefore(change: (flags: number) => number) {
  return reset((vm, old) => {
    for (const { dirty_gfns, size, reset_index, dirty_index } of rings(vm)) {
      for (let n = reset_index; n < dirty_index; n++) {
        const at = (n % size) * 4;
        dirty_gfns[at] = change(dirty_gfns[at]!);
      }
    }
    return old();
  });
}

// KVM_PRE_FAULT_MEMORY that maps fewer pages than it claims.
export function preFaultFewer(fewer: (pages: number) => number) {
  return ioctl((next, fd, request, argument) => {
    if (request !== KVM_PRE_FAULT_MEMORY || typeof argument !== "object") {
      return next(fd, request, argument);
    }
    const { size } = kvm_pre_fault_memory.at;
    const view = new DataView(argument.buffer, argument.byteOffset);
    const pages = Number(view.getBigUint64(size, true)) / PAGE;
    view.setBigUint64(size, BigInt(fewer(pages) * PAGE), true);
    const result = next(fd, request, argument);
    view.setBigUint64(size, 0n, true);
    return result;
  });
}

export const argumentWord = (argument: Parameters<Ioctl>[2], at: number): number =>
  typeof argument === "object"
    ? new DataView(argument.buffer, argument.byteOffset).getUint32(at, true)
    : 0;

export const isPowerOfTwo = (bytes: number) => bytes > 0 && Number.isInteger(Math.log2(bytes));
