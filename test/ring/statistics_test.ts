import { assertEquals } from "@std/assert";
import { entriesOf } from "../../ring/entry.ts";
import { sorted } from "../../ring/sort.ts";
import { RingStatistics, Tally } from "../../ring/statistics.ts";
import fc from "../support/fast_check.ts";

const pages = (...offsets: number[]) => entriesOf(offsets.map((offset) => [1, offset] as const));

Deno.test("RingStatistics sums windows, each computed by itself", () => {
  const statistics = new RingStatistics();
  statistics.addWindow(pages(0, 1, 2, 0));
  statistics.addWindow(pages(3, 0)); // would have joined the first, were it one window
  statistics.addWindow(pages());
  const { windows, entries, uniquePages, duplicates, batches, ends } = statistics.result("v6.17");
  assertEquals([windows, entries, uniquePages, duplicates, batches], [3, 6, 5, 1, 2]);
  assertEquals(ends.ringEnd, 2);
});

Deno.test("RingStatistics counts calls by the rule asked for, empty windows too", () => {
  const statistics = new RingStatistics();
  statistics.addWindow(pages(0, 64));
  statistics.addWindow(pages());
  const calls = (["v5.11", "v6.10", "v6.17"] as const).map((rule) => statistics.result(rule).calls);
  assertEquals(calls, [4, 4, 2]);
});

Deno.test("RingStatistics tells what sorting would have given", () => {
  const statistics = new RingStatistics();
  statistics.addWindow(pages(0, 128, 1, 129));
  const { batches, sorted, entriesPerBatch } = statistics.result("v6.17");
  assertEquals([batches, sorted.batches], [4, 2]);
  assertEquals([entriesPerBatch.mean, sorted.entriesPerBatch.mean], [1, 2]);
});

Deno.test("RingStatistics adds up: ends to batches, histogram to batches, pages to pages", () => {
  const entry = fc.tuple(fc.constantFrom(1, 2), fc.nat(400));
  fc.assert(fc.property(fc.array(fc.array(entry, { maxLength: 50 }), { maxLength: 5 }), (list) => {
    const [all, half, rest] = [new RingStatistics(), new RingStatistics(), new RingStatistics()];
    list.forEach((window, n) => {
      all.addWindow(entriesOf(window));
      (n % 2 === 0 ? half : rest).addWindow(entriesOf(window));
    });
    const result = all.result("v6.17");
    const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
    assertEquals(sum(Object.values(result.ends)), result.batches);
    for (const spread of [result.pagesPerBatch, result.entriesPerBatch]) {
      assertEquals(spread.histogram.length, 7);
      assertEquals(sum(spread.histogram.map(({ batches }) => batches)), result.batches);
    }
    assertEquals(result.uniquePages + result.duplicates, result.entries);
    const unique = list.map((window) =>
      new Set(window.map(([slot, page]) => slot * 1000 + page)).size
    );
    assertEquals(result.uniquePages, sum(unique));
    half.addAll(rest);
    assertEquals(half.result("v6.17"), result);
  }));
});

Deno.test("Tally answers mean, median, largest and a histogram of seven ranges", () => {
  const tally = new Tally();
  for (const value of [1, 2, 3, 64]) tally.add(value);
  const { mean, median, max, histogram } = tally.spread(64);
  assertEquals([mean, median, max], [17.5, 2.5, 64]);
  assertEquals(histogram.map(({ from, to, batches }) => [from, to, batches]), [
    [1, 1, 1],
    [2, 3, 2],
    [4, 7, 0],
    [8, 15, 0],
    [16, 31, 0],
    [32, 63, 0],
    [64, 64, 1],
  ]);
  assertEquals(new Tally().spread(64).mean, null);
});

Deno.test("Tally takes the median of all values, however often each was counted", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }), (values) => {
    const tally = new Tally();
    for (const value of values) tally.add(value);
    const order = [...values].sort((a, b) => a - b);
    const middle = order.length >> 1;
    const median = order.length % 2 ? order[middle]! : (order[middle - 1]! + order[middle]!) / 2;
    assertEquals(tally.spread(64).median, median);
  }));
});

Deno.test("sorted() orders by slot, then by offset, forged entries too", () => {
  const entry = fc.tuple(
    fc.constantFrom(1, 2, 0x10001, 0xffff_ffff),
    fc.oneof(fc.bigInt(0n, 99n), fc.bigInt(0n, (1n << 64n) - 1n)),
  );
  fc.assert(fc.property(fc.array(entry), (list) => {
    const order = [...list].sort(([a, x], [b, y]) => a - b || (x < y ? -1 : x > y ? 1 : 0));
    assertEquals(sorted(entriesOf(list)), entriesOf(order));
  }));
});
