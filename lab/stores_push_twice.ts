import type { InlineDriver } from "./inline_driver.ts";
import type { Lab } from "./lab.ts";

/**
 * Whether KVM emulates the guest's stores: a page that is written through the page tables is pushed
 * once until its reset, while an emulated store pushes every time (`push.emulated-writes-repeat`). The
 * lab's list is then no longer the pattern's.
 *
 * @param lab The lab, its rings empty.
 * @param driver Runs its vCPUs.
 * @returns Whether two stores to one page pushed two entries.
 */
export async function storesPushTwice(lab: Lab, driver: InlineDriver): Promise<boolean> {
  lab.load(Uint32Array.of(0, 0));
  lab.begin(0, 0, 2);
  const { vcpu, harvester } = lab.vcpus[0]!;
  await driver.run(vcpu);
  const entries = harvester.take().length;
  lab.vm.resetDirtyRings();
  return entries > 1;
}
