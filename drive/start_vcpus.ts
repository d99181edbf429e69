// Starts the vCPUs of a live run, on threads or in slices.
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

/** How vCPUs are started. */
export interface StartOptions {
  /** Stores that each vCPU is to make; `Infinity` to go on until it is stopped. */
  readonly quotas: readonly number[];
  /**
   * Where each vCPU continues, with its registers already set; `null` for one that starts from the
   * beginning. All do unless given.
   */
  readonly places?: readonly (VcpuPlace | null)[];
  /**
   * The ring of each vCPU, and the queue in which its thread puts what it harvests. If given, each
   * thread empties its own full ring; on a kernel in memory this is ignored.
   */
  readonly rings?: readonly { readonly ring: DirtyRing; readonly handOver: HandOver }[];
  /**
   * The program of a vCPU's thread, which tests replace to break it. A kernel in memory ignores it.
   */
  readonly thread?: URL;
}

const END = { KVM_EXIT_HLT, KVM_EXIT_IO } as const;

/**
 * Prepares a VM's vCPUs to run beside the harvester: on threads, or in slices on a kernel in
 * memory.
 *
 * @returns The vCPUs, standing still. The caller owns them and disposes of them before the VM.
 * @throws {HostError} If a thread cannot be started.
 * @throws {KernelError} If one cannot be started because file descriptors or threads have run out.
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
      tracing: kernel.tracing ?? null,
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
  // An errand of zero stores tells the value of the counter and its step.
  const { value, step } = vm.errand(id, first, 0);
  const quota = stores === 0 ? 0 : quotas[id]!;
  return { block: stores, value, step, quota, place: places?.[id] ?? null };
}
