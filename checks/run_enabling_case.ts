import { capabilityName } from "../ffi/capability_name.ts";
import { ERRNO, errnoName } from "../ffi/errno.ts";
import { KVM_CAP_DIRTY_LOG_RING, KVM_CAP_DIRTY_LOG_RING_ACQ_REL } from "../ffi/kvm_constants.ts";
import { checked } from "../ffi/kernel_error.ts";
import { KVM_CHECK_EXTENSION, KVM_ENABLE_CAP } from "../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { Mapping } from "../kvm/mapping.ts";
import type { System } from "../kvm/system.ts";
import { enableCapStruct, type Vm } from "../kvm/vm.ts";
import type { EnablingCase, Preparation } from "./enabling_cases.ts";

/** A case as it was asked, and what the kernel answered. */
export interface EnablingCaseResult {
  /** The statement of abi.md that it belongs to. */
  readonly id: string;
  /** What is asked, in words. */
  readonly name: string;
  /** What the VM had gone through before the request. */
  readonly before: Preparation;
  /** The request in the kernel's words. */
  readonly request: string;
  /** What the call returned: minus one where it failed. */
  readonly result: number;
  /** The errno's name, or `null`. */
  readonly errno: string | null;
  /** The answers that are documented. */
  readonly expected: string;
  /** Whether the answer is one of them. */
  readonly ok: boolean;
}

/**
 * Asks the kernel one case, on a fresh VM.
 *
 * @param system `/dev/kvm`.
 * @param bytes A size that this kernel takes, for cases that need a ring enabled before.
 * @param question The case.
 * @returns What it answered, beside what is documented.
 * @throws {KernelError} Where the case cannot be prepared.
 */
export function runEnablingCase(
  system: System,
  bytes: number,
  question: EnablingCase,
): EnablingCaseResult {
  using resources = new DisposableStack();
  const vm = resources.use(system.createVm());
  prepare(question.before, system, vm, bytes, resources);
  const fd = question.on === "VM" ? vm : system;
  const answer = question.ask === "KVM_CHECK_EXTENSION"
    ? fd.ioctl(KVM_CHECK_EXTENSION, question.capability)
    : fd.ioctl(
      KVM_ENABLE_CAP,
      enableCapStruct(question.capability, question.argument, question.flags),
    );
  return {
    id: question.id,
    name: question.name,
    before: question.before,
    request: requestText(question),
    result: answer < 0 ? -1 : answer,
    errno: answer < 0 ? errnoName(-answer) : null,
    expected: question.expected.join(" or "),
    ok: question.expected.some((e) => answer === (typeof e === "number" ? e : -ERRNO[e])),
  };
}

function prepare(
  before: Preparation,
  system: System,
  vm: Vm,
  bytes: number,
  resources: DisposableStack,
): void {
  switch (before) {
    case "fresh":
      return;
    case "slot": {
      const memory = resources.use(Mapping.anonymous(system.kernel, PAGE_SIZE, "guest memory"));
      vm.setUserMemoryRegion({
        slot: 0,
        flags: 0,
        guestPhysAddr: 0,
        memorySize: PAGE_SIZE,
        userspaceAddr: memory.address,
      });
      return;
    }
    case "vcpu":
      resources.use(vm.createVcpu(0, system.vcpuMmapSize()));
      return;
    case "closed vcpu":
      vm.createVcpu(0, system.vcpuMmapSize())[Symbol.dispose]();
      return;
    case "ring enabled":
    case "ring enabled (acq_rel)": {
      const capability = before === "ring enabled"
        ? KVM_CAP_DIRTY_LOG_RING
        : KVM_CAP_DIRTY_LOG_RING_ACQ_REL;
      checked(
        vm.enableCap(capability, bytes),
        `KVM_ENABLE_CAP(${capabilityName(capability)}, ${bytes})`,
      );
    }
  }
}

function requestText({ ask, capability, argument, flags, on }: EnablingCase): string {
  const name = capabilityName(capability).replace("KVM_CAP_", "");
  const where = on === "VM" ? "" : ` on ${on}`;
  if (ask === "KVM_CHECK_EXTENSION") return `CHECK_EXTENSION(${name})`;
  const bytes = argument < 2n ** 32n ? `${argument}` : `0x${argument.toString(16)}`;
  return `ENABLE_CAP(${name}, ${bytes}${flags === 0 ? "" : ", flags 0xffffffff"})${where}`;
}
