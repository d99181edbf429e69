/**
 * A model of `/dev/kvm` in memory: files, VMs, vCPUs, memory slots and dirty rings that follow the
 * rules of kernel versions from 5.11 on, an interpreter for the few instructions of tiny guests,
 * and the errno that a kernel would give. It needs neither KVM nor FFI nor Linux, so that tests of
 * code that drives KVM run anywhere, and each run is the same. Its `insight` shows what a kernel
 * hides, such as a ring's indices.
 *
 * @example A kernel for a test
 * ```ts
 * import { System } from "@dirtyring/dirtyring/kvm";
 * import { openModel } from "@dirtyring/dirtyring/model";
 * import { assertEquals } from "@std/assert";
 *
 * using system = System.open(openModel({ version: "v6.1", pml: true, emulator: false }));
 * using vm = system.createVm();
 * assertEquals(vm.enableCap(192, 4096), -22); // EINVAL: with PML a ring keeps 576 entries in reserve
 * assertEquals(vm.enableCap(192, 16384), 0);
 * ```
 *
 * @module
 */
export { openModel } from "./model_kernel.ts";
export { type Rules, rulesOf } from "./dirty_ring.ts";
export type {
  Insight,
  ModelKind,
  ModelVersion,
  PushStep,
  ResetCall,
  RingInsight,
} from "../ffi/insight.ts";
export type { Kernel, TraceOrder } from "../ffi/kernel.ts";
