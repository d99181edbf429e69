/**
 * A library for KVM's dirty ring (`virt/kvm/dirty_ring.c`, Linux 5.11 and newer on x86-64), for
 * authors of a VMM that harvests the ring, and for those who test one. {@linkcode openKernel} opens
 * the real `/dev/kvm`, through FFI to libc (`--allow-ffi`), or a model of it in memory, which
 * answers each call as a kernel does and needs no permission. The rest of the library works with
 * both: file descriptors and mappings as disposable classes, the harvester of a ring, the batches
 * that a reset makes of entries, their statistics, and a witness that proves that no store was
 * lost.
 *
 * This is a selection. The parts export more: `@dirtyring/dirtyring/ring`, `/memory`, `/kvm`,
 * `/guest`, `/model` and `/ffi`.
 *
 * @example A vCPU dirties three pages; its ring is harvested and reset
 * ```ts
 * import { Harvester, KVM_CAP_DIRTY_LOG_RING, Mapping, openKernel, System } from "@dirtyring/dirtyring";
 * import { long64 } from "@dirtyring/dirtyring/guest";
 * import { assertEquals } from "@std/assert";
 *
 * const kernel = await openKernel({ backend: "model" }); // "kvm" is the real one, "auto" what is usable
 * using system = System.open(kernel);
 * using vm = system.createVm();
 * vm.enableCap(KVM_CAP_DIRTY_LOG_RING, 65536);
 *
 * // Slot 0 holds the guest and the addresses of its stores; slot 1, whose first page is 0x100000, is logged.
 * using memory = Mapping.anonymous(kernel, 2 ** 21, "guest memory");
 * const half = { memorySize: 2 ** 20 };
 * vm.setUserMemoryRegion({ slot: 0, flags: 0, guestPhysAddr: 0, userspaceAddr: memory.address, ...half });
 * const userspaceAddr = memory.address + 2 ** 20;
 * vm.setUserMemoryRegion({ slot: 1, flags: 1, guestPhysAddr: 2 ** 20, userspaceAddr, ...half });
 * long64.place(memory.bytes);
 * new BigUint64Array(memory.bytes.buffer, memory.bytes.byteOffset + long64.listAt)
 *   .set([0x100000n, 0x102000n, 0x103000n]);
 *
 * using vcpu = vm.createVcpu(0, system.vcpuMmapSize());
 * using ring = vcpu.mapDirtyRing(65536);
 * vcpu.changeSregs(long64.prepare);
 * vcpu.setRegisters(long64.begin({ list: long64.listAt, stores: 3, value: 1, step: 1 }));
 * assertEquals(vcpu.run(), 0);
 *
 * const { length, words } = new Harvester(ring.words).take();
 * const offsets = Array.from({ length }, (_, n) => words[4 * n + 2]);
 * assertEquals(offsets, [0, 2, 3]);
 * assertEquals(vm.resetDirtyRings().count, 3);
 * ```
 *
 * @module
 */
// Opening a kernel.
export {
  type Backend,
  type BackendSelection,
  MODEL_VERSIONS,
  type ModelChoice,
  openKernel,
  parseModel,
} from "./host/backend.ts";
export type {
  Insight,
  ModelKind,
  ModelVersion,
  PushStep,
  ResetCall,
  RingInsight,
} from "./ffi/insight.ts";
export type { Kernel, TraceOrder } from "./ffi/kernel.ts";
export {
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_EXIT_DIRTY_RING_FULL,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "./ffi/kvm_constants.ts";
export { PAGE_SIZE } from "./ffi/linux.ts";
export type { Register } from "./ffi/kvm_structs.ts";

// VMs, vCPUs and their mappings.
export { DEVICE, System } from "./kvm/system.ts";
export { type MemoryRegion, type ResetAnswer, Vm } from "./kvm/vm.ts";
export { type TickSource, Vcpu } from "./kvm/vcpu.ts";
export { RunTicks } from "./kvm/run_ticks.ts";
export { DirtyRing, KvmFd, Mapping } from "./kvm/mapping.ts";

// A ring's entries: harvest, batches and statistics.
export {
  allocateEntries,
  DIRTY,
  type Entries,
  entriesOf,
  ENTRY_WORDS,
  FLAGS,
  HARVESTED,
  OFFSET,
  SLOT,
} from "./ring/entry.ts";
export { Harvester, warmHarvest } from "./ring/harvest.ts";
export {
  type Batch,
  type BatchEnd,
  coalesce,
  maskPages,
  type Rule,
  ruleOf,
} from "./ring/coalesce.ts";
export {
  type BatchSpread,
  type Bucket,
  RingStatistics,
  type Statistics,
} from "./ring/statistics.ts";

// The proof that no store was lost.
export { LoggedPages, type PageName, type Slot } from "./ring/entry.ts";
export {
  type LostCause,
  type LostPage,
  type LostPages,
  type PageList,
  PAGES_LISTED,
  Witness,
} from "./memory/witness.ts";
export type { PageSet } from "./memory/page_sets.ts";

// Errors.
export {
  errnoName,
  errnoText,
  HostError,
  KernelError,
  type KernelErrorOptions,
  type Limit,
  type Naming,
  WordedError,
  type Wording,
} from "./ffi/errors.ts";
export { LimitError, UsageError, ValueError } from "./host/errors.ts";
