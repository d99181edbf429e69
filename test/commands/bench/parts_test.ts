// The parts of a bench that need no kernel: turns, spreads, crossings, the census of pages, lists of options.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { choice, count, list, memorySize } from "../../../cli/option.ts";
import { costCells } from "../../../commands/bench/bench_cost.ts";
import { crossingOf, crossoversOf } from "../../../commands/bench/bench_crossing.ts";
import { type BenchOptions, cellsOf, planBench } from "../../../commands/bench/bench_options.ts";
import { PageCensus } from "../../../commands/bench/bench_ring.ts";
import { measureRingSizes, ringSizes } from "../../../commands/bench/bench_ring_sizes.ts";
import { sortPages, sortPaysFrom } from "../../../commands/bench/bench_sort.ts";
import { spreadOf, takeTurns } from "../../../commands/bench/take_turns.ts";
import { UsageError } from "../../../host/errors.ts";
import { Interrupt } from "../../../host/interrupt.ts";
import { entriesOf, LoggedPages } from "../../../ring/entry.ts";
import { OPTIONS } from "../../support/bench_results.ts";
import fc from "../../support/fast_check.ts";
import "../../support/libc.ts"; // what listens to signals binds it

const MIB = 2 ** 20;

Deno.test("spreadOf() interpolates quantiles and refuses no values", () => {
  assertEquals(spreadOf([7]), { median: 7, min: 7, max: 7, q1: 7, q3: 7 });
  assertEquals(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4, q1: 1.75, q3: 3.25 });
  assertThrows(() => spreadOf([]), RangeError, "no values");
});

const at = (dirtyFraction: number, ratio: number) => ({ dirtyFraction, ratio });

Deno.test("crossingOf() interpolates between two points, logarithms on both axes", () => {
  const { dirtyFraction, outcome } = crossingOf([at(0.1, 8), at(0.001, 0.5), at(0.01, 2)]);
  assertEquals(outcome, "crosses");
  assert(Math.abs(dirtyFraction! - Math.sqrt(0.001 * 0.01)) < 1e-12);
  assertEquals(crossingOf([at(0.1, 0.5), at(0.2, 1)]).dirtyFraction!.toFixed(9), "0.200000000");
});

Deno.test("crossingOf() says who always wins, and where nobody does", () => {
  assertEquals(crossingOf([at(0.1, 0.5), at(0.2, 0.9)]), { dirtyFraction: null, outcome: "first" });
  assertEquals(crossingOf([at(0.1, 1.5), at(0.2, 1)]), { dirtyFraction: null, outcome: "second" });
  assertEquals(crossingOf([at(0.1, 1.5), at(0.2, 0.9)]).outcome, "unclear");
  assertEquals(crossingOf([]).outcome, "unclear");
  // What counts is from where on the second wins all the way up.
  const again = crossingOf([at(1, 0.5), at(2, 2), at(3, 0.5), at(4, 2)]);
  assert(again.outcome === "crosses" && again.dirtyFraction! > 3 && again.dirtyFraction! < 4);
});

Deno.test("crossingOf() answers a fraction between the two points that it lies between", () => {
  const point = fc.record({
    dirtyFraction: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    ratio: fc.double({ min: 0.01, max: 100, noNaN: true }),
  });
  fc.assert(fc.property(fc.array(point, { maxLength: 8 }), (points) => {
    const { dirtyFraction, outcome } = crossingOf(points);
    assertEquals(dirtyFraction !== null, outcome === "crosses");
    if (dirtyFraction === null) return;
    const beyond = points.filter((one) => one.dirtyFraction > dirtyFraction * (1 + 1e-9));
    assert(beyond.every(({ ratio }) => ratio >= 1));
  }));
});

Deno.test("takeTurns() rotates who begins, and drops what is not whole", async () => {
  using interrupt = new Interrupt();
  const order: string[] = [];
  const turn = (name: string) => () => Promise.resolve(order.push(name));
  const turns = ["a", "b", "c"].map(turn);
  const rows = await takeTurns(turns, 3, interrupt, { warmUp: false });
  assertEquals([order.join(""), rows.length], ["abcbcacab", 3]);
  assertEquals(rows[1], [6, 4, 5], "a row keeps the order of the turns");

  let calls = 0;
  const ends = [() => Promise.resolve(1), () => Promise.resolve(++calls > 2 ? null : 2)];
  assertEquals(await takeTurns(ends, 9, interrupt, { warmUp: false }), [[1, 2], [1, 2]]);
});

Deno.test("takeTurns() warms up before the first repetition that counts", async () => {
  using interrupt = new Interrupt();
  let calls = 0;
  const rows = await takeTurns([() => Promise.resolve(++calls)], 2, interrupt);
  assert(rows.length === 2 && rows[0]![0]! > 1);
});

Deno.test("takeTurns() ends at an interrupt, with the rows that are whole", async () => {
  using interrupt = new Interrupt();
  let calls = 0;
  const turn = async () => {
    if (++calls !== 5) return calls;
    Deno.kill(Deno.pid, "SIGTERM");
    while (interrupt.signal === null) await interrupt.pause(true);
    return calls;
  };
  const rows = await takeTurns([turn, turn], 99, interrupt, { warmUp: false });
  assertEquals([rows, interrupt.signal], [[[1, 2], [4, 3]], "SIGTERM"]);
});

Deno.test("PageCensus counts pages found once, pages missed and strays", () => {
  const slot = { id: 1, addressSpace: 0, gfn: 9, pages: 10, logged: true };
  const census = new PageCensus(new LoggedPages([slot]), Uint32Array.of(7, 3, 3));
  assertEquals(census.expected, 2);
  const found = (offsets: readonly number[]) => {
    census.begin();
    census.addEntries(entriesOf(offsets.map((offset) => [1, offset])));
    return census.difference();
  };
  assertEquals(found([3, 7, 7]), null);
  assertEquals(found([3]), "1 of the 2 pages that were stored to were found, and 0 others");
  assertEquals(found([7, 3, 4]), "2 of the 2 pages that were stored to were found, and 1 others");
  assertEquals(found([7, 3, 99])!.slice(-8), "1 others", "a page beyond the slot");
  census.begin();
  census.addPages({ length: 2, pages: Uint32Array.of(3, 7, 4) });
  assertEquals(census.difference(), null);
});

const rowOf = (totals: readonly number[]) =>
  totals.map((total, way) => ({
    learnNs: total - 1,
    rearmNs: 1,
    scanNs: way < 2 ? null : 5,
    fullExits: way < 2 ? way : null,
    bytesRead: way < 2 ? 160 : 128,
    bytesCopied: way < 2 ? 0 : 128 * (way - 1),
    masks: 10 - way,
  }));

Deno.test("costCells() takes medians, spreads and ratios to the plain bitmap", () => {
  const size = { memoryBytes: 4096 * 1000, dirtyPages: 10 };
  const cells = costCells(size, [[10, 20, 40, 50], [30, 20, 40, 60], [20, 20, 80, 50]].map(rowOf));
  assertEquals(cells.map(({ tracking, sorted }) => `${tracking} ${sorted}`), [
    "ring false",
    "ring true",
    "bitmap false",
    "bitmap-manual false",
  ]);
  const [ring, , bitmap, manual] = cells;
  assertEquals([ring!.medianNs, ring!.minNs, ring!.maxNs, ring!.ratio], [20, 10, 30, 0.5]);
  assertEquals([ring!.dirtyFraction, ring!.repetitions, ring!.learnNs], [0.01, 3, 19]);
  assertEquals(ring!.samples, {
    learnNs: [9, 29, 19],
    rearmNs: [1, 1, 1],
    scanNs: null,
    fullExits: [0, 0, 0],
  });
  assertEquals([bitmap!.samples.rearmNs, bitmap!.samples.scanNs], [null, [5, 5, 5]]);
  assertEquals([bitmap!.ratio, bitmap!.rearmNs, manual!.rearmNs], [1, null, 1]);
  assertEquals([ring!.scanNs, bitmap!.scanNs, ring!.fullExits, bitmap!.fullExits], [
    null,
    5,
    0,
    null,
  ]);
  assertEquals(costCells(size, []), []);
});

Deno.test("crossoversOf() answers one for each size, plain and sorted apart", () => {
  const cell = (memoryBytes: number, dirtyPages: number, ring: number, sorted: number) =>
    costCells({ memoryBytes, dirtyPages }, [rowOf([ring, sorted, 100, 100])]);
  const cells = [
    ...cell(4096 * 1000, 10, 50, 50),
    ...cell(4096 * 1000, 1000, 200, 50),
    ...cell(4096 * 9000, 10, 200, 200),
  ];
  const [first, second] = crossoversOf(cells);
  assertEquals([first!.outcome, first!.dirtyFraction!.toFixed(9)], ["crosses", "0.100000000"]);
  const nowhere = { dirtyFraction: null, leastFraction: null, mostFraction: null };
  assertEquals(first!.sorted, { ...nowhere, outcome: "ring" });
  assertEquals([second!.memoryBytes, second!.outcome], [4096 * 9000, "bitmap"]);
});

Deno.test("cellsOf() leaves out what memory has no room for, and what a pattern does not reach", () => {
  const cells = (changes: Partial<BenchOptions>) => cellsOf({ ...OPTIONS, ...changes });
  assertEquals(cells({ memory: [2 * MIB, MIB], pages: [512, 16, 256] }), [
    { memoryBytes: MIB, dirtyPages: 16 },
    { memoryBytes: MIB, dirtyPages: 256 },
    { memoryBytes: 2 * MIB, dirtyPages: 16 },
    { memoryBytes: 2 * MIB, dirtyPages: 256 },
    { memoryBytes: 2 * MIB, dirtyPages: 512 },
  ]);
  const stride = { name: "stride", parameter: 64 } as const;
  assertEquals(cells({ pattern: stride, memory: [4 * MIB], pages: [16, 17] }).length, 1);
  assertThrows(() => cells({ pages: [257] }), UsageError, "pages 257: more different pages");
  assertThrows(() => cells({ memory: [2 ** 36] }), UsageError, "memory 64GiB");
});

Deno.test("planBench() stores to each page once, in one slot, with one vCPU", () => {
  const { sequence, slots, blocks } = planBench(OPTIONS, { memoryBytes: MIB, dirtyPages: 256 });
  assertEquals([new Set(sequence).size, slots.length, blocks.length], [256, 2, 1]);
});

Deno.test("ringSizes() are the powers of two that the kernel takes", () => {
  assertEquals(ringSizes(256, 65536).length, 9);
  assertEquals(ringSizes(1024, 4096), [1024, 2048, 4096]);
});

Deno.test("measureRingSizes() takes medians of runs in turn", async () => {
  using interrupt = new Interrupt();
  const asked: number[] = [];
  const run = (size: number) => {
    const storesPerSecond = size + asked.push(size);
    return Promise.resolve({ fullExits: 2, stoppedNs: 8, storesPerSecond, entries: 9 });
  };
  const found = await measureRingSizes([256, 512], run, undefined, interrupt);
  assertEquals(asked, [256, 512, 512, 256, 256, 512]);
  assertEquals(found[0], {
    ringEntries: 256,
    repetitions: 3,
    fullExits: 2,
    stoppedNs: 8,
    entries: 9,
    storesPerSecond: 260,
    minStoresPerSecond: 257,
    maxStoresPerSecond: 261,
    samples: {
      fullExits: [2, 2, 2],
      stoppedNs: [8, 8, 8],
      storesPerSecond: [257, 260, 261],
      entries: [9, 9, 9],
    },
  });
  assertEquals(await measureRingSizes([256], () => Promise.resolve(null), 1, interrupt), []);
});

Deno.test("sortPaysFrom() says from which density on sorting pays", () => {
  const cost = {
    harvestNsPerEntry: 1,
    sortNsPerEntry: 1,
    resetNsPerEntry: 1,
    totalNsPerEntry: 3,
    batches: 1,
    samples: { harvestNsPerEntry: [1], sortNsPerEntry: [1], resetNsPerEntry: [1] },
  };
  const density = (dirtyFraction: number, ratio: number) => ({
    dirtyFraction,
    ratio,
    dirtyPages: 1,
    repetitions: 1,
    plain: cost,
    sorted: cost,
  });
  assertEquals(sortPaysFrom([density(0.1, 0.5), density(0.2, 0.9)]).outcome, "never");
  assertEquals(sortPaysFrom([density(0.1, 1.5)]).outcome, "always");
  assertEquals(
    sortPaysFrom([density(0.1, 0.5), density(0.4, 2)]).dirtyFraction!.toFixed(6),
    "0.200000",
  );
  assertEquals([sortPages()[0], sortPages().at(-1)], [33, 32768]);
});

Deno.test("list() reads values and names the one that is wrong", () => {
  const memory = list(memorySize("", 0, ""), "sizes", [MIB], "1MiB");
  assertEquals([memory.value, memory.fallbackText], ["SIZE,...", "1MiB"]);
  assertEquals(memory.parse("64MiB, 1GiB"), [64 * MIB, 1024 * MIB]);
  assertThrows(() => memory.parse("1MiB,5KiB"), SyntaxError, "5KiB: expected a size with a unit");
  assertThrows(() => memory.parse("1MiB,1024KiB"), SyntaxError, "1024KiB stands there twice");
  assertThrows(() => memory.parse("1MiB,"), SyntaxError, '"": expected a size');
  const words = list(choice("", ["cost", "sort"]), "words", ["cost", "sort"]);
  assertEquals([words.fallbackText, words.parse("sort")], ["cost,sort", ["sort"]]);
  assertThrows(() => words.parse("cost,x"), SyntaxError, "x: expected cost or sort");
  // A single value is named by what names the option.
  const { message } = assertThrows(
    () => list(count("", 1, { min: 1 }), "", [1]).parse("0"),
    SyntaxError,
  );
  assertEquals(message, "expected a whole number of 1 or more");
});
