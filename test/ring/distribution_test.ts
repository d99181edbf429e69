import { assert, assertEquals } from "@std/assert";
import { Distribution } from "../../ring/distribution.ts";
import fc from "../support/fast_check.ts";

Deno.test("Distribution without a value has none to tell", () => {
  const nothing = { count: 0, mean: null, p50: null, p99: null, max: null };
  assertEquals(new Distribution().quantiles(), nothing);
});

Deno.test("Distribution tells quantiles within one in a hundred, and the rest exactly", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 2 ** 47 }), { minLength: 1, maxLength: 200 }),
    fc.constantFrom(0, 0.25, 0.5, 0.99, 1),
    (values, share) => {
      const distribution = new Distribution();
      for (const value of values) distribution.add(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!;
      const found = distribution.quantile(share)!;
      assert(Math.abs(found - exact) <= exact / 100, `${found} for ${exact}`);
      assert(found <= sorted.at(-1)!);
      assertEquals(distribution.quantiles().max, sorted.at(-1)!);
      assertEquals(distribution.sum, values.reduce((sum, value) => sum + value, 0));
    },
  ));
});

Deno.test("Distribution takes what is beyond its buckets as the greatest", () => {
  const distribution = new Distribution();
  distribution.add(2 ** 50);
  const { max, p50 } = distribution.quantiles();
  assertEquals(max, 2 ** 50);
  assert(p50! >= 2 ** 47);
});
