/**
 * Classes for `/dev/kvm`: one for each kind of file descriptor ({@linkcode System}, {@linkcode Vm},
 * {@linkcode Vcpu}), the mapped {@linkcode DirtyRing} of a vCPU, other mappings, and KVM's
 * tracepoints. All of them are disposable, and all of them use a {@linkcode Kernel}: the real one,
 * which `ffi` opens, or the model in memory.
 *
 * @example A vCPU with a ring, on the model
 * ```ts
 * import { openModel } from "@dirtyring/dirtyring/model";
 * import { System } from "@dirtyring/dirtyring/kvm";
 * import { assertEquals } from "@std/assert";
 *
 * using system = System.open(openModel({ version: "latest", pml: false, emulator: false }));
 * using vm = system.createVm();
 * assertEquals(vm.enableCap(192, 65536), 0); // KVM_CAP_DIRTY_LOG_RING, before there is a vCPU
 * using vcpu = vm.createVcpu(0, system.vcpuMmapSize());
 * using ring = vcpu.mapDirtyRing(65536);
 * assertEquals(ring.entries, 4096);
 * assertEquals(vm.resetDirtyRings().count, 0);
 * ```
 *
 * @module
 */
export { DEVICE, System } from "./system.ts";
export { type MemoryRegion, REAL_MODE_LIMIT, type ResetAnswer, Vm } from "./vm.ts";
export { type TickSource, Vcpu } from "./vcpu.ts";
export { DirtyRing, KvmFd, Mapping } from "./mapping.ts";
export {
  THIS_THREAD,
  type TraceField,
  type TraceFormat,
  Tracepoint,
  type TracepointOptions,
} from "./tracepoint.ts";
export { type TakenSamples, TraceSamples } from "./trace_samples.ts";
export { RunTicks } from "./run_ticks.ts";
export {
  HostError,
  KernelError,
  type KernelErrorOptions,
  type Limit,
  type Naming,
  WordedError,
  type Wording,
} from "../ffi/errors.ts";
export type { Insight, PushStep, ResetCall, RingInsight } from "../ffi/insight.ts";
export type { Kernel, TraceOrder } from "../ffi/kernel.ts";
export type { Register } from "../ffi/kvm_structs.ts";
