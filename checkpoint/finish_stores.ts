import { DirtySet } from "../ring/dirty_set.ts";
import { expectedStop } from "../live/expected_stop.ts";
import type { HarvestCycle } from "../drive/harvest_cycle.ts";
import { GuestError } from "../lab/guest_error.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import type { InterruptWatch } from "../lab/interrupt.ts";
import type { VcpuPlace } from "../live/live_vcpus.ts";
import { startVcpus } from "../live/start_vcpus.ts";
import { sharesOf, unfinishedText } from "../live/unfinished_text.ts";

const TURN_MS = 20;
/** Milliseconds that it may take: a guest that was restored wrong may never end. */
const MOST_MS = 60_000;
/**
 * As many on the model, for all vCPUs together, by its own clock, which no other work on the host slows down; and ten
 * times as many for a store as it takes.
 */
const MODEL_MS = 1000;
const MODEL_STORE_MS = 0.02;
const ADVICE =
  "it was restored wrong, or this host is busy with other work: try again when it is not";

/**
 * Runs vCPUs on from where they are until each has made so many stores; rings that are full meanwhile are emptied.
 *
 * @param vm The VM.
 * @param cycle Empties its rings.
 * @param places Where each vCPU is, its registers set. One that is in no pass stands still.
 * @param quotas Stores since the beginning at which each stops.
 * @param interrupt Ends it early.
 * @returns Where they are then.
 * @throws {GuestError} Where they do not end in time, or one stops in a way that the guest never brings about.
 * @throws {KernelError} Where the kernel fails a call.
 * @throws {HostError} Where vCPUs cannot be started.
 */
export async function finishStores(
  vm: GuestVm,
  cycle: HarvestCycle,
  places: readonly VcpuPlace[],
  quotas: readonly number[],
  interrupt: InterruptWatch,
): Promise<readonly VcpuPlace[]> {
  await using vcpus = await startVcpus(vm, { quotas, places });
  const dirty = new DirtySet(vm.pages.total); // nobody asks for them: a ring has to be emptied all the same
  const going = new Set(places.keys().filter((id) => places[id]!.passStores > 0));
  const left = Math.max(...going.values().map((id) => quotas[id]! - places[id]!.stores), 0);
  const most = vm.kernel.backend === "model"
    ? MODEL_MS / vm.vcpus.length + left * MODEL_STORE_MS
    : MOST_MS;
  const end = vcpus.now() + most;
  try {
    for (const id of going) vcpus.resume(id);
    while (going.size > 0 && interrupt.signal === null) {
      vcpus.wait(Math.min(TURN_MS, most, vcpus.turnMs));
      for (const id of going) {
        const stop = expectedStop(vm, id, vcpus.stopOf(id));
        if (stop === "done") going.delete(id);
        if (stop !== "full") continue;
        cycle.learnInto(dirty, vm.pages, [id]);
        cycle.rearm();
        dirty.clear();
        vcpus.resume(id);
      }
      if (vcpus.now() >= end) {
        vcpus.stop();
        const shares = sharesOf(vcpus, quotas);
        if (shares.every(({ made, asked }) => made >= asked)) break;
        throw new GuestError(
          (name) =>
            `the restored machine: ${unfinishedText(shares, Math.ceil(most), name, ADVICE)}`,
        );
      }
      if (interrupt.isDue) await interrupt.pause();
    }
  } finally {
    vcpus.stop();
  }
  return places.map((_, id) => vcpus.placeOf(id));
}
