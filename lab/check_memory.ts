import type { Witness } from "../ring/witness.ts";
import type { GuestVm } from "./guest_vm.ts";
import { type InterruptWatch, lastLook } from "./interrupt.ts";
import { TouchedPages } from "./touched_pages.ts";

/** Pages that are checked between two looks for an interrupt: where each is mapped first, a tenth of a second. */
const CHECK_PAGES = 1 << 12;

/**
 * Checks all memory of a VM whose vCPUs stand still and whose dirty pages are all harvested and read. In parts: a large
 * one may take a while, and an interrupt that comes meanwhile ends it. One that came before does not, unless it takes
 * long: what was gathered is checked like any other run.
 *
 * @param vm The VM.
 * @param witness What remembers the pages read; it gets the lost ones.
 * @param interrupt Ends it early.
 */
export async function checkMemory(
  vm: GuestVm,
  witness: Witness,
  interrupt: InterruptWatch,
): Promise<void> {
  using touched = new TouchedPages(vm.vm.kernel, vm.memoryAddress);
  const { total } = vm.pages;
  const goesOn = lastLook(interrupt);
  for (let page = 0; page < total && goesOn(); page += CHECK_PAGES) {
    witness.check(touched.among(page, Math.min(page + CHECK_PAGES, total)));
    await interrupt.pause();
  }
}
