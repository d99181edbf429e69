import { ERRNO } from "../ffi/errno.ts";
import type { Insight } from "../ffi/insight.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { ModelState } from "./machine_state.ts";
import type { ModelKind } from "../ffi/model_kind.ts";
import { slotMemory } from "./slots.ts";
import type { ModelVcpu } from "./vcpu.ts";
import type { ModelVm } from "./vm.ts";

/**
 * What the model tells beyond its system calls.
 *
 * @param choice The kernel version and the processor.
 * @param state What all files of the model share.
 * @param vms The open VMs, by file descriptor.
 * @param vcpus The open vCPUs, by file descriptor.
 * @returns The insight.
 */
export function insightOf(
  choice: ModelKind,
  state: ModelState,
  vms: ReadonlyMap<number, ModelVm>,
  vcpus: ReadonlyMap<number, ModelVcpu>,
): Insight {
  return {
    version: choice.version,
    pml: choice.pml,
    emulator: choice.emulator,
    ring(vcpuFd) {
      const ring = vcpus.get(vcpuFd)?.ring ?? null;
      return ring === null ? null : {
        dirtyIndex: ring.dirty_index,
        resetIndex: ring.reset_index,
        size: ring.size,
        softLimit: ring.soft_limit,
      };
    },
    resetCalls: (vmFd) => vms.get(vmFd)?.resetCalls ?? [],
    runSlice: (vcpuFd, instructions) => vcpus.get(vcpuFd)?.run(instructions) ?? -ERRNO.EBADF,
    writeOutsideVcpu(vmFd, address) {
      const slot = vms.get(vmFd)?.slots.find(Math.floor(address / PAGE_SIZE));
      if (slot === undefined) return false;
      slotMemory(state.space, slot)[address - slot.base_gfn * PAGE_SIZE]! ^= 1;
      // `mark_page_dirty_in_slot` warns, before it looks whether the slot logs.
      if (state.rules.bitmapTakesRest && slot.bitmap !== null) {
        slot.bitmap[Math.floor(address / PAGE_SIZE) - slot.base_gfn] = 1;
      }
      return state.rules.dropsWritesOutsideVcpu;
    },
    bitmap(vmFd, slot) {
      const bitmap = vms.get(vmFd)?.slots.get(slot)?.bitmap ?? null;
      return bitmap === null ? null : [...bitmap.keys()].filter((page) => bitmap[page] === 1);
    },
    failNextAllocation() {
      state.failsAllocation = true;
    },
    setResetMaximum(entries) {
      state.resetMaximum = entries ?? state.rules.resetMaximum;
    },
    watchPushes(listener) {
      state.pushWatcher = listener;
    },
  };
}
