// The cases of "Discovering and enabling" as a table, and the code that puts one to a kernel.
import { checked, ERRNO, type ErrnoName, errnoName } from "../../ffi/errors.ts";
import {
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
} from "../../ffi/kvm_constants.ts";
import { KVM_CHECK_EXTENSION, KVM_ENABLE_CAP } from "../../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { capabilityName } from "../../ffi/names.ts";
import { Mapping } from "../../kvm/mapping.ts";
import type { System } from "../../kvm/system.ts";
import { enableCapStruct, type Vm } from "../../kvm/vm.ts";

/** What is done with a fresh VM before the request of a case. */
export type Preparation =
  | "fresh"
  | "slot"
  | "vcpu"
  | "closed vcpu"
  | "ring enabled"
  | "ring enabled (acq_rel)";

/**
 * One question to the kernel about discovering or enabling the ring, and the documented answers.
 */
export interface EnablingCase {
  /** The id of its statement in docs/abi.md. */
  readonly id: string;
  /** The question in words. */
  readonly name: string;
  /** What is done with the VM before the request. */
  readonly before: Preparation;
  /** The file descriptor that gets the request. */
  readonly on: "/dev/kvm" | "VM";
  /** The request. */
  readonly ask: "KVM_CHECK_EXTENSION" | "KVM_ENABLE_CAP";
  /** The capability. */
  readonly capability: number;
  /** `args[0]` of `KVM_ENABLE_CAP`, all 64 bits. */
  readonly argument: bigint;
  /** `flags` of `KVM_ENABLE_CAP`. */
  readonly flags: number;
  /** The documented answers, each a result or an errno. */
  readonly expected: readonly (number | ErrnoName)[];
}

/** Facts about a kernel that the cases depend on. */
export interface RingRangeFacts {
  /** Bytes of the largest ring, as the kernel reports it. */
  readonly largest: number;
  /** Bytes of the smallest ring, as documented: 4096, or 16384 where the CPU has PML. */
  readonly smallest: number;
  /** Whether this kernel reports the acquire/release capability, as v6.1 and later do. */
  readonly acquireRelease: boolean;
}

const RING = KVM_CAP_DIRTY_LOG_RING;
const ACQ_REL = KVM_CAP_DIRTY_LOG_RING_ACQ_REL;
const BITMAP = KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP;

/**
 * The largest ring according to api.rst and the original patch (v5.11): 65536 entries of 16 bytes.
 */
const DOCUMENTED_LARGEST = 1048576;

/** Bytes of the smallest ring without PML: a page. */
export const SMALLEST: number = PAGE_SIZE;
/** Bytes of the smallest ring with PML, whose 512 + 64 reserved entries take 9216 bytes. */
export const SMALLEST_WITH_PML: number = 16384;

/**
 * Every case of the "Discovering and enabling" statements. They are data so that `enable --matrix`
 * and `check` share one table.
 *
 * @returns The cases, in the order of the statements.
 */
export function enablingCases(facts: RingRangeFacts): EnablingCase[] {
  return [...capabilityCases(facts), ...sizeCases(facts), ...orderCases(facts)];
}

// A case of KVM_CHECK_EXTENSION.
function check(id: string, name: string, capability: number, expected: number): EnablingCase {
  return {
    id,
    name,
    before: "fresh",
    on: "/dev/kvm",
    ask: "KVM_CHECK_EXTENSION",
    capability,
    argument: 0n,
    flags: 0,
    expected: [expected],
  };
}

// A case of KVM_ENABLE_CAP on a VM.
function enable(
  id: string,
  name: string,
  argument: number | bigint,
  expected: number | ErrnoName,
  rest: Partial<EnablingCase> = {},
): EnablingCase {
  return {
    id,
    name,
    before: "fresh",
    on: "VM",
    ask: "KVM_ENABLE_CAP",
    capability: RING,
    argument: BigInt(argument),
    flags: 0,
    expected: [expected],
    ...rest,
  };
}

function capabilityCases({ largest, acquireRelease }: RingRangeFacts): EnablingCase[] {
  const both = acquireRelease ? largest : 0;
  return [
    check("cap.max-bytes", "largest ring in bytes", RING, DOCUMENTED_LARGEST),
    check("cap.acq-rel", "the same, acquire/release", ACQ_REL, both),
    enable("cap.acq-rel", "enable acquire/release", largest, acquireRelease ? 0 : "EINVAL", {
      capability: ACQ_REL,
    }),
    check("cap.with-bitmap", "bitmap beside the ring", BITMAP, 0),
    enable("cap.with-bitmap", "enable the bitmap", 0, "EINVAL", { capability: BITMAP }),
    enable("cap.with-bitmap", "enable it after the ring", 0, "EINVAL", {
      capability: BITMAP,
      before: "ring enabled",
    }),
  ];
}

function sizeCases({ largest, smallest }: RingRangeFacts): EnablingCase[] {
  const fits = (bytes: number) => bytes < smallest ? "EINVAL" : 0;
  const cases = [
    enable("enable.on-vm-fd", "on the /dev/kvm fd", largest, "EINVAL", { on: "/dev/kvm" }),
    enable("enable.bytes", "as many bytes as the largest has", largest, 0),
    enable("enable.bytes", "256, the entries of a page", 256, "EINVAL"),
    enable("enable.power-of-two", "zero", 0, "EINVAL"),
    enable("enable.power-of-two", "4097", 4097, "EINVAL"),
    enable("enable.power-of-two", "5000", 5000, "EINVAL"),
    enable("enable.power-of-two", "three pages", 3 * PAGE_SIZE, "EINVAL"),
    enable("enable.power-of-two", "the largest less 16", largest - 16, "EINVAL"),
    enable("enable.power-of-two", "the largest plus 16", largest + 16, "EINVAL"),
  ];
  for (let bytes = 1; bytes < PAGE_SIZE; bytes *= 2) {
    cases.push(enable("enable.too-small", `2^${Math.log2(bytes)}`, bytes, "EINVAL"));
  }
  for (let bytes = PAGE_SIZE; bytes <= largest; bytes *= 2) {
    const id = bytes < smallest ? "limit.pml-minimum" : "enable.power-of-two";
    cases.push(enable(id, `2^${Math.log2(bytes)}`, bytes, fits(bytes)));
  }
  for (let bytes = largest * 2; bytes < 2 ** 32; bytes *= 2) {
    cases.push(enable("enable.too-big", `2^${Math.log2(bytes)}`, bytes, "E2BIG"));
  }
  return [
    ...cases,
    enable("enable.u32", "2^32 + 4096", 0x1_0000_1000n, fits(PAGE_SIZE)),
    enable("enable.u32", "2^32 + 65536", 0x1_0001_0000n, fits(0x1_0000)),
    enable("enable.u32", "2^32", 0x1_0000_0000n, "EINVAL"),
    enable("enable.u32", "2^63", 1n << 63n, "EINVAL"),
  ];
}

function orderCases({ largest, acquireRelease }: RingRangeFacts): EnablingCase[] {
  const again = acquireRelease
    ? [
      enable("enable.once", "then acquire/release", largest, "EINVAL", {
        before: "ring enabled",
        capability: ACQ_REL,
      }),
      enable("enable.once", "acquire/release, then again", largest, "EINVAL", {
        before: "ring enabled (acq_rel)",
      }),
      enable("enable.once", "acquire/release twice", largest, "EINVAL", {
        before: "ring enabled (acq_rel)",
        capability: ACQ_REL,
      }),
    ]
    : [];
  return [
    enable("enable.once", "a second enable", largest, "EINVAL", { before: "ring enabled" }),
    ...again,
    enable("enable.before-vcpus", "after a vCPU", largest, "EINVAL", { before: "vcpu" }),
    enable("enable.before-vcpus", "after a closed vCPU", largest, "EINVAL", {
      before: "closed vcpu",
    }),
    enable("enable.size-first", "too big, after a vCPU", largest * 2, "E2BIG", { before: "vcpu" }),
    enable("enable.size-first", "too big, after enabling", largest * 2, "E2BIG", {
      before: "ring enabled",
    }),
    enable("enable.flags-ignored", "with flags", largest, 0, { flags: 0xffff_ffff }),
    enable("enable.slots-may-exist", "after a memory slot", largest, 0, { before: "slot" }),
  ];
}

/** A case and the kernel's answer. */
export interface EnablingCaseResult {
  /** The id of its statement in docs/abi.md. */
  readonly id: string;
  /** The question in words. */
  readonly name: string;
  /** What was done with the VM before the request. */
  readonly before: Preparation;
  /** The request as text, in the kernel's names. */
  readonly request: string;
  /** What the call returned; -1 where it failed. */
  readonly result: number;
  /** The errno's name; `null` where the call succeeded. */
  readonly errno: string | null;
  /** The documented answers, as text. */
  readonly expected: string;
  /** Whether the kernel gave one of the documented answers. */
  readonly ok: boolean;
}

/**
 * Puts one case to the kernel, on a fresh VM.
 *
 * @param system `/dev/kvm`.
 * @param bytes A ring size that this kernel accepts, for cases that enable a ring first.
 * @returns The answer and what is documented.
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
