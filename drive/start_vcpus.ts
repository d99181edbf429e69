import type { Kernel } from "../ffi/kernel.ts";
import { KVM_EXIT_HLT, KVM_EXIT_IO } from "../ffi/kvm_constants.ts";
import { needThreads, threadFailure } from "../host/exhaustion.ts";
import type { DirtyRing } from "../kvm/mapping.ts";
import { registersStruct } from "../kvm/vcpu.ts";
import type { GuestVm } from "../machine/guest_vm.ts";
import type { HandOver } from "./hand_over.ts";
import type { LiveVcpus, Quest, VcpuPlace } from "./live_vcpus.ts";
import type { RingOrder } from "./vcpu_control.ts";
import { VcpuSlices } from "./vcpu_slices.ts";
import { VcpuThreads } from "./vcpu_threads.ts";

/** What vCPUs are started with beyond their VM. */
export interface StartOptions {
  /** Stores that each vCPU is to make; `Infinity` for as many as it can until it is stopped. */
  readonly quotas: readonly number[];
  /**
   * Where each vCPU is in its stores already, its registers set; `null` for one that begins. All begin unless
   * given.
   */
  readonly places?: readonly (VcpuPlace | null)[];
  /**
   * Where each vCPU's thread puts what it harvests when its ring is full; then it empties its ring itself. On a real
   * kernel alone, and not unless given.
   */
  readonly rings?: readonly { readonly ring: DirtyRing; readonly handOver: HandOver }[];
  /** The program of a vCPU's thread, for a test that breaks it; on a real kernel alone. */
  readonly thread?: URL;
}

const END = { KVM_EXIT_HLT, KVM_EXIT_IO } as const;

/**
 * Makes a VM's vCPUs ready to run beside the harvester: on threads, or in slices on a kernel in memory.
 *
 * @param options What its vCPUs are to do.
 * @returns The vCPUs, standing still; for their caller to dispose before the VM.
 * @throws {HostError} Where a thread cannot be started.
 * @throws {KernelError} Where one cannot for want of file descriptors, or of threads.
 */
export async function startVcpus(vm: GuestVm, options: StartOptions): Promise<LiveVcpus> {
  const { guest } = vm.plan;
  const kernel: Kernel = vm.vm.kernel;
  const end = END[guest.exit];
  const quests = vm.vcpus.map(({ first, stores }, id) => questOf(vm, id, first, stores, options));
  if (kernel.insight !== null) {
    return new VcpuSlices(
      kernel.insight,
      vm.vcpus.map(({ vcpu, first }, id) => ({
        vcpu,
        end,
        quest: quests[id]!,
        begin: (stores, value) =>
          vcpu.setRegisters(guest.begin({ ...vm.errand(id, first, 0), stores, value })),
        remaining: () => vm.remaining(id),
      })),
    );
  }
  const threaded = vm.vcpus.map(({ vcpu, first }, id) => ({
    order: {
      fd: vcpu.fd,
      run: vcpu.runMapping,
      registers: registersStruct(guest.begin(vm.errand(id, first, 0))),
      end,
      quest: quests[id]!,
      ring: ringOrder(vm, id, options),
    },
    remaining: () => vm.remaining(id),
  }));
  needThreads(threaded.length, "the vCPUs' threads");
  try {
    return await VcpuThreads.start(kernel, threaded, options.thread);
  } catch (error) {
    throw threadFailure(error, "each vCPU");
  }
}

function ringOrder(vm: GuestVm, id: number, { rings }: StartOptions): RingOrder | null {
  const own = rings?.[id];
  if (own === undefined) return null;
  return { place: own.ring.place, vmFd: vm.vm.fd, handOver: own.handOver.buffer };
}

function questOf(
  vm: GuestVm,
  id: number,
  first: number,
  stores: number,
  { quotas, places }: StartOptions,
): Quest {
  // An errand of no stores: where the counter stands, and what it grows by.
  const { value, step } = vm.errand(id, first, 0);
  const quota = stores === 0 ? 0 : quotas[id]!;
  return { block: stores, value, step, quota, place: places?.[id] ?? null };
}
