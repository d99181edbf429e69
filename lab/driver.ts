import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../kvm/vcpu.ts";

/** How a vCPU stopped: its guest ended, its ring is full, or a signal asked the program to end. */
export type VcpuExit = Guest["exit"] | "KVM_EXIT_DIRTY_RING_FULL" | "KVM_EXIT_INTR";

/** Runs vCPUs: one after another, or (later) in slices or on threads. */
export interface VcpuDriver {
  /**
   * Runs a vCPU until it stops.
   *
   * @param vcpu The vCPU.
   * @returns How it stopped.
   * @throws {GuestError} Where it stopped in a way that the guest's program never does.
   * @throws {KernelError} Where `KVM_RUN` failed.
   */
  run(vcpu: Vcpu): VcpuExit | Promise<VcpuExit>;
}
