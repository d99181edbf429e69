// The time that a vCPU stands still because of full rings: all of it, no matter who emptied the
// ring, and separately the stops that the harvester ended.
import { assert, assertEquals } from "@std/assert";
import { startVcpus } from "../../drive/start_vcpus.ts";
import { countFullStop, fullStopsOf, vcpuControl } from "../../drive/vcpu_control.ts";
import { openModel } from "../../model/model_kernel.ts";
import { makeLab } from "../support/labs.ts";

Deno.test("the time of all full stops counts those that a vCPU's own thread ended", () => {
  const thread = vcpuControl();
  const harvester = vcpuControl(thread.buffer);
  const seen = () => fullStopsOf(harvester.numbers);
  assertEquals(seen(), { totalNs: 0, resumed: 0, lastResumedNs: 0 });
  countFullStop(thread.numbers, 30, "by its thread");
  assertEquals(seen(), { totalNs: 30, resumed: 0, lastResumedNs: 0 });
  countFullStop(thread.numbers, 500, "resumed");
  countFullStop(thread.numbers, 40, "by its thread");
  assertEquals(seen(), { totalNs: 570, resumed: 1, lastResumedNs: 500 });
  countFullStop(thread.numbers, 100, "resumed");
  assertEquals(seen(), { totalNs: 670, resumed: 2, lastResumedNs: 100 });
});

Deno.test("the time of all full stops is the sum of those that were resumed where no thread ends one", async () => {
  const kernel = openModel({ version: "latest", pml: false, emulator: false });
  using lab = makeLab({ pages: 2000, ringBytes: 4096, memory: 16 << 20 }, kernel);
  await using vcpus = await startVcpus(lab, { quotas: [2000] });
  let [sum, full] = [0, 0];
  vcpus.resume(0);
  while (vcpus.stopOf(0)?.kind !== "done") {
    vcpus.wait(1000);
    if (vcpus.stopOf(0)?.kind !== "full") continue;
    const stoodMs = ++full;
    vcpus.wait(stoodMs);
    lab.tracker.rings[0]!.harvester.take();
    lab.vm.resetDirtyRings();
    vcpus.resume(0);
    const { totalNs, resumed, lastResumedNs } = vcpus.fullStops(0);
    sum += lastResumedNs;
    assertEquals([totalNs, resumed, lastResumedNs >= stoodMs * 1e6], [sum, full, true]);
  }
  assert(full > 3);
});
