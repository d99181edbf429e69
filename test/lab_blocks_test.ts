import { assertEquals } from "@std/assert";
import { passesFor, repeatBlocks, sharesOf } from "../lab/blocks.ts";
import { planLab } from "../lab/plan.ts";
import { labOptions } from "./support/labs.ts";

Deno.test("sharesOf() gives the first vCPUs one store more", () => {
  const shares = sharesOf(8, 3).map(({ first, stores }) => [first, stores]);
  assertEquals(shares, [[0, 3], [3, 3], [6, 2]]);
});

Deno.test("repeatBlocks() repeats each vCPU's block where it stands", () => {
  const list = repeatBlocks(Uint32Array.of(1, 2, 3, 9, 8), sharesOf(5, 2), 2);
  assertEquals([...list], [1, 2, 3, 1, 2, 3, 9, 8, 9, 8]);
});

Deno.test("passesFor() makes lists long enough, and is one where they are", () => {
  assertEquals([passesFor(256, 2, 1000), passesFor(4000, 2, 1000)], [8, 1]);
  assertEquals(passesFor(1, 2, 1000), 1000); // the second vCPU has nothing to do
});

Deno.test("planLab() with passes lays the list out for all of them", () => {
  const plan = planLab(labOptions({ vcpus: 2, pages: 5, passes: 3 }));
  assertEquals(plan.options.pages, 5);
  assertEquals([...plan.sequence], [0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 3, 4, 3, 4]);
  assertEquals(plan.blocks, [{ first: 0, stores: 9 }, { first: 9, stores: 6 }]);
});
