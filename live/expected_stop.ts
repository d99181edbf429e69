import { KernelError } from "../ffi/kernel_error.ts";
import { GuestError } from "../lab/guest_error.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import type { VcpuStop } from "./live_vcpus.ts";
import { unexpectedExit } from "../lab/unexpected_exit.ts";

/** A way to stop that the guest's program brings about, or that was asked for. */
export type ExpectedStop = "done" | "full" | "asked";

/**
 * How a vCPU stopped, where that was to be expected.
 *
 * @param vm The machine.
 * @param id The vCPU.
 * @param stop How it stopped; `null` where it runs.
 * @returns The way, or `null` where it runs.
 * @throws {GuestError} Where it stopped in another way, or what ran it is gone.
 * @throws {KernelError} Where `KVM_RUN` failed.
 */
export function expectedStop(vm: GuestVm, id: number, stop: VcpuStop | null): ExpectedStop | null {
  if (stop === null) return null;
  switch (stop.kind) {
    case "exit":
      throw unexpectedExit(vm.vcpus[id]!.vcpu);
    case "errno":
      throw new KernelError(`KVM_RUN on vCPU ${id}`, -stop.errno);
    case "lost":
      throw new GuestError(`vCPU ${id} runs no more: ${stop.why}`);
    default:
      return stop.kind;
  }
}
