import { isOrdered, PushOrder } from "../ring/push_order.ts";
import { pageModificationLogging } from "../lab/host.ts";
import type { RingVm } from "../lab/guest_vm.ts";

/**
 * What holds each ring's entries against the stores of its vCPU, where they come in that order.
 *
 * @param lab The lab.
 * @returns One for each vCPU, or `null` where the order cannot be told: pages that come again within a ring's worth of
 * stores, pages that vCPUs share, or a processor that logs pages in a buffer of its own (PML).
 */
export function pushOrders(lab: RingVm): readonly PushOrder[] | null {
  if (pageModificationLogging(lab.vm.kernel, lab.kernel.module) === true) return null;
  const { sequence, options } = lab.plan;
  const lists = lab.vcpus.map(({ first, stores }) => sequence.subarray(first, first + stores));
  if (!isOrdered(lists, options.ring, lab.pages.total)) return null;
  return lists.map((list) => new PushOrder(list, lab.pages));
}
