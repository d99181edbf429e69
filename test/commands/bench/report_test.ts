// Reports of a bench: text, CSV and charts, and the small module that draws the charts.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { BenchResult } from "../../../commands/bench/bench.ts";
import { costCells } from "../../../commands/bench/bench_cost.ts";
import { type CostCrossover, crossoversOf } from "../../../commands/bench/bench_crossing.ts";
import { benchCsv } from "../../../commands/bench/bench_csv.ts";
import { benchSvg } from "../../../commands/bench/bench_svg.ts";
import { TRACKING_STYLES } from "../../../commands/bench/bench_svg_cost.ts";
import { benchText } from "../../../commands/bench/bench_text.ts";
import {
  groupedTick,
  linearScale,
  logScale,
  percentTick,
  powerTick,
  timeTick,
} from "../../../report/chart/scale.ts";
import { element, escapeXml } from "../../../report/chart/style.ts";
import { fractionText } from "../../../report/table.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import { CELLS, GIB, NOTHING, RESULT, rowOf } from "../../support/bench_results.ts";
import fc from "../../support/fast_check.ts";

const NO_TIMES = { ...PLAIN_PAGE, times: false };

// The names of a file's elements, in order of their beginnings; throws where tags do not nest.
function elementsOf(xml: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  let end = 0;
  for (const match of xml.matchAll(/<(\?|\/)?([a-z]+)((?: [\w:-]+="[^"<]*")*) ?(\/|\?)?>/g)) {
    assert(
      !/[<>]|&(?!(amp|lt|gt|quot);)/.test(xml.slice(end, match.index)),
      xml.slice(end, match.index),
    );
    end = match.index + match[0].length;
    const [, before, name, , after] = match;
    if (before === "?") continue;
    if (before === "/") assertEquals(open.pop(), name);
    else {
      names.push(name!);
      if (after !== "/") open.push(name!);
    }
  }
  assertEquals([open, xml.slice(end).trim()], [[], ""]);
  return names;
}

const svgOf = (result: BenchResult, page = PLAIN_PAGE) => [...benchSvg(result, page)].join("");

Deno.test("benchSvg() is well formed, with a panel for each sweep and every label", () => {
  const svg = svgOf(RESULT);
  const names = elementsOf(svg);
  assertEquals([names[0], names.filter((name) => name === "svg").length], ["svg", 1]);
  assertStringIncludes(svg, 'viewBox="0 0 2560 1440"');
  for (const { name } of TRACKING_STYLES) assertStringIncludes(svg, `>${name}<`);
  for (
    const words of [
      "6.18 &lt;&amp;&quot;, kvm_pvm",
      "dirty pages (log scale)",
      "to learn and re-protect (log scale)",
      "1 GiB",
      "16 GiB",
      "100 µs",
      "10²",
      "bitmap wins",
      "the ring wins here",
      "stores per second",
      "never full",
      "65\u202f536",
      "sequential",
      "pages a batch (modelled)",
      "200 ns",
      "sorting pays from 1 % of a slot on",
      "of it the sorting",
    ]
  ) assertStringIncludes(svg, words);
  assert(!/NaN|undefined|Infinity|null/.test(svg));
});

Deno.test("benchSvg() draws one sweep as one slide, and nothing as nothing", () => {
  const { cells, crossover } = RESULT;
  const slide = svgOf({ ...NOTHING, cells, crossover });
  elementsOf(slide);
  assertStringIncludes(slide, 'viewBox="0 0 1280 720"');
  assert(!slide.includes("stores per second"));
  const empty = svgOf(NOTHING);
  elementsOf(empty);
  assertStringIncludes(empty, ">nothing was measured<");
});

Deno.test("benchSvg() draws a single value, sizes in two rows, rings that never fill", () => {
  const one = CELLS.slice(0, 4);
  elementsOf(svgOf({ ...NOTHING, cells: one, crossover: crossoversOf(one) }));
  const many = [1, 2, 3, 4, 5, 6].flatMap((factor) =>
    CELLS.slice(0, 4).map((cell) => ({
      ...cell,
      memoryBytes: factor * GIB,
      minNs: 0,
      medianNs: 0,
      q1Ns: 0,
    }))
  );
  const rows = svgOf({ ...NOTHING, cells: many, crossover: crossoversOf(many) });
  elementsOf(rows);
  for (const factor of [1, 6]) assertStringIncludes(rows, `>${factor} GiB<`);
  const never = RESULT.ringSizes.slice(1);
  assert(!/NaN/.test(svgOf({ ...NOTHING, ringSizes: never })));
  elementsOf(svgOf({ ...NOTHING, ringSizes: never }));
});

// About what text takes: the pictures reckon with as much.
function textEnds(svg: string): number[] {
  const texts = svg.matchAll(/<text x="([\d.]+)"[^>]*>([^<]*)</g);
  return [...texts].filter(([all]) => !all.includes("rotate")).map(([all, x, words]) => {
    const width = words!.length * Number(/font-size="([\d.]+)"/.exec(all)![1]) * 0.58;
    const anchor = /text-anchor="(\w+)"/.exec(all)?.[1];
    return Number(x) + (anchor === "end" ? 0 : anchor === "middle" ? width / 2 : width);
  });
}

Deno.test("no words run out of the picture, however long the kernel's name", () => {
  const release = "6.18.44-an-uncommonly-long-name-of-a-kernel-that-somebody-built-at-home";
  const kernel = { ...RESULT.kernel, release };
  const ends = textEnds(svgOf({ ...RESULT, kernel }));
  assert(ends.length > 50 && ends.every((end) => end < 2560), `${Math.max(...ends)}`);
});

Deno.test("lines of one picture differ without their colours", () => {
  const looks = TRACKING_STYLES.map(({ style: { colour: _colour, ...rest } }) =>
    JSON.stringify(rest)
  );
  assertEquals(new Set(looks).size, looks.length);
});

Deno.test("element() escapes, rounds, and draws no number that is none", () => {
  assertEquals(element("g", { a: "<", b: 1 / 3, c: null }, ["x"]), '<g a="&lt;" b="0.33">x</g>');
  assertEquals(escapeXml('a & "b" <c>'), "a &amp; &quot;b&quot; &lt;c&gt;");
  // What XML cannot write, and what a terminal might obey.
  assertEquals(element("g", { a: "\u001b\u202e" }), '<g a="\ufffd&#8238;"/>');
  assertThrows(() => element("g", { x: NaN }), RangeError, "Cannot draw with x NaN");
});

Deno.test("logScale() keeps order, and every value and tick inside", () => {
  const value = fc.double({ min: 1e-6, max: 1e12, noNaN: true });
  const values = fc.array(value, { minLength: 1, maxLength: 9 });
  fc.assert(fc.property(values, fc.constantFrom(2 as const, 10 as const), (list, base) => {
    const scale = logScale(list, { start: 10, end: 210 }, { below: 1.5, above: 2 }, base);
    const places = list.toSorted((a, b) => a - b).map((one) => scale.at(one));
    places.forEach((place, n) => assert(n === 0 || place >= places[n - 1]!));
    for (const place of [...places, ...scale.ticks.map((tick) => scale.at(tick.value))]) {
      assert(place >= 10 - 1e-6 && place <= 210 + 1e-6);
    }
    assert(scale.ticks.some(({ isMajor }) => isMajor));
  }));
  assertThrows(() => logScale([0, 1], { start: 0, end: 1 }), RangeError, "Cannot scale 0");
});

Deno.test("logScale() labels powers, and steps between them where few lie on the axis", () => {
  const labels = (values: number[], base: 2 | 10 = 10) =>
    logScale(values, { start: 0, end: 1 }, undefined, base).ticks.filter((tick) => tick.isMajor)
      .map((tick) => tick.value);
  assertEquals(labels([1, 1e4]), [1, 10, 100, 1000, 10000]);
  assertEquals(labels([20, 300]), [20, 50, 100, 200]);
  assertEquals(labels([256, 2048], 2), [256, 512, 1024, 2048]);
  assert(labels([31, 39]).length >= 2);
  assertEquals(logScale([1, 100], { start: 100, end: 0 }).at(10), 50);
});

Deno.test("linearScale() begins at 0 and ends above the greatest value, with round ticks", () => {
  const scale = linearScale(47000, { start: 100, end: 0 });
  assertEquals(scale.ticks.map(({ value }) => value), [0, 10000, 20000, 30000, 40000, 50000]);
  assertEquals([scale.at(0), scale.at(25000)], [100, 50]);
  fc.assert(fc.property(fc.double({ min: 1e-3, max: 1e12, noNaN: true }), (most) => {
    const { to, ticks } = linearScale(most, { start: 0, end: 1 });
    assert(to >= most && to <= most * 2 && ticks.length >= 3 && ticks.length <= 8);
  }));
  assertThrows(() => linearScale(0, { start: 0, end: 1 }), RangeError, "Cannot scale 0 to 0");
});

Deno.test("ticks are written with units and powers", () => {
  assertEquals([10, 500, 1e3, 1e5, 2e6, 1e9].map(timeTick), [
    ...["10 ns", "500 ns", "1 µs", "100 µs", "2 ms", "1 s"],
  ]);
  assertEquals([1, 10, 50, 100, 1e5, 0.001].map(powerTick), [
    "1",
    "10",
    "50",
    "10²",
    "10⁵",
    "10⁻³",
  ]);
  assertEquals([0.001, 0.1, 0.5].map(percentTick), ["0.1 %", "10 %", "50 %"]);
  assertEquals([256, 65536, 1e6].map(groupedTick), ["256", "65\u202f536", "1\u202f000\u202f000"]);
  assertEquals([0.0996, 0.0041, 1].map(fractionText), ["10 %", "0.41 %", "100 %"]);
});

Deno.test("benchCsv() holds every figure in a row of its own", () => {
  const lines = [...benchCsv(RESULT, {}, PLAIN_PAGE)].join("").trim().split("\n");
  const columns = lines[0]!.split(",");
  const rows = lines.slice(1).map((line) => {
    const fields = line.split(",");
    assertEquals(fields.length, columns.length, line);
    return Object.fromEntries(columns.map((name, n) => [name, fields[n]!]));
  });
  const of = (sweep: string, figure: string) =>
    rows.filter((row) => row["sweep"] === sweep && row["figure"] === figure);
  assertEquals(of("cost", "totalNs").length, CELLS.length);
  assertEquals(of("cost", "totalNs")[0], {
    sweep: "cost",
    memoryBytes: `${GIB}`,
    dirtyPages: "16",
    ringEntries: "",
    pattern: "",
    tracking: "ring",
    sorted: "false",
    repetitions: "2",
    figure: "totalNs",
    median: "15000",
    min: "10000",
    max: "20000",
  });
  assertEquals(of("cost", "rearmNs").map((row) => row["tracking"]).includes("bitmap"), false);
  assertEquals(of("ring-size", "fullExits").map((row) => row["median"]), ["400", "0"]);
  assertEquals(of("pattern", "resetNsPerEntry").map((row) => row["pattern"]), [
    "sequential",
    "random",
  ]);
  assertEquals(of("sort", "sortNsPerEntry").map((row) => row["median"]), ["0", "0", "0", "30"]);
  const counted = [...benchCsv(RESULT, {}, NO_TIMES)].slice(1).map((line) => line.split(",")[8]!);
  assertEquals([...new Set(counted)], [
    ...["fullExits", "bytesRead", "bytesCopied", "masks", "entries", "batches"],
  ]);
});

const textOf = (result: BenchResult, page = PLAIN_PAGE) => [...benchText(result, page)].join("");

Deno.test("benchText() compares ways with bars and says where the bitmap begins to win", () => {
  const text = textOf(RESULT);
  const lines = text.split("\n");
  const row = (head: string) => lines.find((line) => line.trimStart().startsWith(head)) ?? "";
  assertStringIncludes(row("16  ring "), "15.0 µs  10.0 µs  20.0 µs  3.75 µs     11.3 µs  █████");
  assertStringIncludes(row("n = 2"), "bitmap         45.0 µs");
  assertEquals(
    row("1 GiB  ring").match(/from [\d.]+ % dirty on \([\d.]+ to [\d.]+ %\)$/)?.length,
    1,
  );
  assertStringIncludes(row("16 GiB  ring"), "0.0250     -  nowhere in this range");
  assertStringIncludes(text, "ring-size: 2 vCPUs that run while they are harvested, every 100 ms");
  assertStringIncludes(row("65536  "), "0        -         -     25000");
  assertStringIncludes(row("random  "), "200 ns");
  assertStringIncludes(row("10 %"), "50.0         2  █");
  assertStringIncludes(row("sorting pays"), "from 1 % of a slot on");
  assertStringIncludes(lines.at(-2)!, "ok: every tracker found");
});

Deno.test("benchText() says what ended it early, and what did not hold", () => {
  const text = textOf({ ...NOTHING, interrupted: "SIGINT", problems: ["ring, x: y"], ok: false });
  assertStringIncludes(text, "interrupted by SIGINT: figures up to there\nPROBLEM: ring, x: y\n");
  assertStringIncludes(text, "FAILED: 1 problem\n");
  assertStringIncludes(
    textOf({ ...NOTHING, emulated: true }),
    "understates what re-protecting costs",
  );
});

Deno.test("benchText() says of a bench that was interrupted what it compared", () => {
  const verdict = (result: BenchResult, quiet = false) =>
    textOf({ ...result, interrupted: "SIGINT" }, { ...PLAIN_PAGE, quiet }).split("\n").at(-2);
  const none = "not compared: it ended before any figure was complete";
  assertEquals([verdict(NOTHING), verdict(NOTHING, true)], [none, none]);
  const found =
    "ended early: every tracker found the pages that were stored to, and no others, with";
  const sizes = new Set(CELLS.map(({ memoryBytes, dirtyPages }) => `${memoryBytes} ${dirtyPages}`));
  assertEquals(
    verdict(RESULT),
    `${found} ${sizes.size} sizes of the sweep cost, 2 sizes of the sweep ring-size, ` +
      "2 orders of the sweep pattern, 2 densities of the sweep sort",
  );
  assertEquals(
    verdict({ ...NOTHING, sorting: RESULT.sorting.slice(1) }),
    `${found} 1 density of the sweep sort`,
  );
});

const ON_MODEL: BenchResult = {
  ...RESULT,
  kernel: { ...RESULT.kernel, backend: "model", model: "v6.18" },
};
/** What says that one thing takes less time than another. */
const VERDICT = /wins|\bpays?\b|paid|faster|slower|times as|sorting pays/;
const TIME = /\d (ns|µs|ms|s)\b|median|ns an entry/;

Deno.test("no verdict of a bench rests on times of the model", () => {
  const timed = textOf(ON_MODEL);
  assertStringIncludes(timed, "times of the model");
  assertStringIncludes(timed, "15.0 µs  10.0 µs");
  assert(!VERDICT.test(timed), timed);
  assert(VERDICT.test(textOf(RESULT)));
  const picture = svgOf(ON_MODEL);
  assert(!VERDICT.test(picture) && VERDICT.test(svgOf(RESULT)));
  assertStringIncludes(picture, "to learn and re-protect (log scale)");
});

Deno.test("without times a bench shows what it counted, of a model and of a kernel alike", () => {
  const text = textOf(RESULT, NO_TIMES);
  assert(!VERDICT.test(text) && !TIME.test(text.replace("every 100 ms", "")), text);
  assertEquals(textOf(ON_MODEL, NO_TIMES).replace(/.*\n/, ""), text.replace(/.*\n/, ""));
  const lines = text.split("\n");
  const row = (head: string) => lines.find((line) => line.trimStart().startsWith(head)) ?? "";
  assertEquals(row("dirty  tracking").trim(), "dirty  tracking        read  copied  masks");
  assertStringIncludes(row("16  ring "), "ring             256       0     16  █");
  assertStringIncludes(row("1 GiB  "), "0.00781");
  assertStringIncludes(row("256  "), "100000         400               250  ████████████████████");
  assertStringIncludes(row("65536  "), "100000           0                 -");
  assertStringIncludes(row("random  "), "64              1  █");
  assertStringIncludes(row("10 %"), "50       9            5.56  █");
});

Deno.test("without times benchSvg() draws counts, and its axes say so", () => {
  const svg = svgOf(RESULT, NO_TIMES);
  elementsOf(svg);
  assert(!/NaN|undefined|Infinity|null/.test(svg));
  assert(!VERDICT.test(svg) && !TIME.test(svg.replace("every 100 ms", "")));
  for (
    const words of [
      "bytes read to learn the pages (log scale)",
      "full exits of a run (log scale)",
      "batches of a reset, modelled (log scale)",
      "never full",
      "; counted<",
    ]
  ) assertStringIncludes(svg, words);
  assert(textEnds(svg).every((end) => end < 2560));
  for (const sweep of [{ ringSizes: RESULT.ringSizes.slice(1) }, { sorting: RESULT.sorting }]) {
    elementsOf(svgOf({ ...NOTHING, ...sweep }, NO_TIMES));
  }
});

Deno.test("a crossover lies in the range that is printed and drawn beside it", () => {
  const time = fc.double({ min: 1, max: 1e6, noNaN: true });
  const row = fc.tuple(time, time, time, time);
  const rows = fc.array(row, { minLength: 1, maxLength: 5 });
  const sizes = fc.array(rows, { minLength: 2, maxLength: 5 });
  let crossing = 0;
  fc.assert(fc.property(sizes, (all) => {
    const cells = all.flatMap((totals, n) =>
      costCells({ memoryBytes: GIB, dirtyPages: 16 * 8 ** n }, totals.map(rowOf))
    );
    const crossover = crossoversOf(cells);
    const [{ dirtyFraction, leastFraction, mostFraction }] = crossover as [CostCrossover];
    if (dirtyFraction === null) return assertEquals([leastFraction, mostFraction], [null, null]);
    crossing++;
    assert(leastFraction! <= dirtyFraction && dirtyFraction <= mostFraction!);
    const said = /from ([\d.]+) % dirty on \(([\d.]+) to ([\d.]+) %\)/.exec(
      textOf({ ...NOTHING, cells, crossover }),
    )!.slice(1).map(Number);
    assert(said[1]! <= said[0]! && said[0]! <= said[2]!, `${said}`);
    const drawn = svgOf({ ...NOTHING, cells, crossover });
    const words = />from ([\d.]+) %<.*>\(([\d.]+) to ([\d.]+) %\)</s.exec(drawn)!;
    assertEquals(words.slice(1).map(Number), said);
    // The line stands inside the band.
    const band = /<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*opacity="0.5"/.exec(drawn)!;
    const at = Number(/<line x1="([\d.]+)"[^>]*stroke-dasharray="6 4"/.exec(drawn)![1]);
    const [left, width] = [Number(band[1]), Number(band[2])];
    assert(left - 0.02 <= at && at <= left + width + 0.02, `${left} ${at} ${width}`);
  }));
  assert(crossing > 10);
});

Deno.test("a crossover's range reaches as far as the quartiles allow", () => {
  // The ring's times are spread by half, the bitmap's are not.
  const rowsOf = (ring: number) => [ring / 2, ring, ring * 1.5].map((one) => [one, one, 100, 100]);
  const cells = [[16, 10], [256, 70], [4096, 130], [65536, 1000]].flatMap(([dirtyPages, ring]) =>
    costCells({ memoryBytes: GIB, dirtyPages: dirtyPages! }, rowsOf(ring!).map(rowOf))
  );
  const [{ dirtyFraction, leastFraction, mostFraction }] = crossoversOf(cells) as [CostCrossover];
  const pages = [leastFraction, dirtyFraction, mostFraction].map((part) =>
    Math.round(part! * GIB / 4096)
  );
  assertEquals(pages.map((one) => one > 256 && one < 4096), [true, true, false]);
  assert(pages[2]! > 4096 && pages[2]! < 65536);
});
