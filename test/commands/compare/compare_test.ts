// compare(): what counts as worse, of statements and of figures, and what is not comparable.
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { compare } from "../../../commands/compare/compare.ts";
import { compareText } from "../../../commands/compare/compare_text.ts";
import { compareMarkdown } from "../../../commands/compare/compare_markdown.ts";
import type { CompareResult } from "../../../commands/compare/compare_result.ts";
import { UsageError } from "../../../host/errors.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import { RESULT } from "../../support/bench_results.ts";
import {
  checkOf,
  checkReport,
  comparable,
  KVM,
  type StatsChange,
  statsResult,
} from "../../support/compared_results.ts";

const THRESHOLD = 0.1;

function compared(old: object, now: object, failAbove = THRESHOLD): CompareResult {
  return compare(comparable("old.json", old), [comparable("new.json", now)], failAbove);
}

function ofStats(old: StatsChange, now: StatsChange, failAbove = THRESHOLD): CompareResult {
  return compared(statsResult(old), statsResult(now), failAbove);
}

/** How a figure compares. */
function changeOf({ figures }: CompareResult, name: string): string {
  return figures.find(({ figure }) => figure === name)!.others[0]!.change;
}

/** Times around a median, of a small spread. */
function times(median: number, count = 21): number[] {
  return Array.from(
    { length: count },
    (_, n) => median * (0.98 + 0.04 * ((n * 8) % count) / count),
  );
}

Deno.test("5 % more time per reset is told at --fail-above 3%, and not at 10%", () => {
  const [old, now] = [{ samples: times(100) }, { samples: times(105) }];
  assertEquals(changeOf(ofStats(old, now, 0.03), "resetNsPerEntry"), "worse");
  assertEquals(ofStats(old, now, 0.03).ok, false);
  assertEquals(changeOf(ofStats(old, now, 0.1), "resetNsPerEntry"), "within");
  assertEquals(ofStats(old, now, 0.1).ok, true);
  assertEquals(changeOf(ofStats(now, old, 0.03), "resetNsPerEntry"), "better");
  assertEquals(changeOf(ofStats(old, old, 0), "resetNsPerEntry"), "same");
});

Deno.test("a difference within the spread is none, however large", () => {
  const wide = [100, 300, 120, 280, 140, 260, 160];
  const wider = wide.map((ns) => ns * 1.2);
  assertEquals(changeOf(ofStats({ samples: wide }, { samples: wider }), "resetNsPerEntry"), "same");
});

Deno.test("fewer than five repetitions are too few to tell", () => {
  const few = ofStats({ samples: times(100, 4) }, { samples: times(300, 40) });
  assertEquals([changeOf(few, "resetNsPerEntry"), few.ok], ["too few", true]);
  const enough = ofStats({ samples: times(100, 5) }, { samples: times(300, 5) });
  assertEquals([changeOf(enough, "resetNsPerEntry"), enough.ok], ["worse", false]);
});

Deno.test("on the model no verdict rests on a time, and a count is one all the same", () => {
  const model = { ...KVM, backend: "model", model: "v6.12", module: null };
  const [old, now] = [{ kernel: model, samples: times(100) }, { samples: times(300) }];
  for (const result of [ofStats(old, now), ofStats(now, old)]) {
    assertEquals([changeOf(result, "resetNsPerEntry"), result.ok], ["not judged", true]);
  }
  const more = { kernel: model, total: { batches: 256 } };
  assertEquals(changeOf(ofStats({ kernel: model }, more), "batches"), "worse");
  // Its JSON has times only where they were asked for.
  const without = ofStats(old, { kernel: model, samples: null });
  assertEquals(without.figures.filter(({ measured }) => measured), []);
});

Deno.test("a count that is worse by more than the threshold is, and another change is told", () => {
  const batches = (now: number, failAbove = THRESHOLD) =>
    changeOf(ofStats({}, { total: { batches: now } }, failAbove), "batches");
  assertEquals([200, 201, 220, 221, 190, 100].map((now) => batches(now)), [
    ...["same", "within", "within", "worse", "within", "better"],
  ]);
  assertEquals(batches(201, 0), "worse");
  const entries = ofStats({}, { total: { entries: 300 } });
  assertEquals([changeOf(entries, "entries"), entries.ok], ["changed", true]);
  const rule = compared(statsResult(), statsResult({ rest: { rule: "v6.17" } }));
  assertEquals(changeOf(rule, "calls by the rule of v6.10"), "gone");
  assertEquals(changeOf(rule, "calls by the rule of v6.17"), "new");
});

Deno.test("more masks, or bytes read or copied, are worse, and text in their place is refused", () => {
  const bench = (change: object) => {
    const [first, ...rest] = RESULT.cells;
    return { ...RESULT, kernel: KVM, cells: [{ ...first, ...change }, ...rest] };
  };
  const base = bench({ bytesCopied: 64 });
  for (const name of ["masks", "bytesRead", "bytesCopied"]) {
    const now = compared(base, bench({ bytesCopied: 64, [name]: 4000 }));
    assertEquals([changeOf(now, name), now.counts[0]!.worse.figures], ["worse", 1]);
    const wrong = bench({ [name]: "x" });
    assertThrows(() => compared(base, wrong), UsageError, `cells[0].${name} is "x"; expected`);
  }
});

Deno.test("figures that not all results have are named, ten at most", () => {
  const less = { ...RESULT, cells: RESULT.cells.slice(0, 4) };
  const text = (now: object) => {
    const result = compared(RESULT, now);
    return [compareText, compareMarkdown].map((of) => [...of(result, PLAIN_PAGE)].join(""));
  };
  const [plain, markdown] = text({ ...RESULT, patterns: RESULT.patterns.slice(0, 1) });
  const names = ["resetNsPerEntry", "ratio", "entries", "batches", "pagesPerBatch"];
  const lines = names.map((name) => `  pattern, random: ${name}  gone\n`).join("");
  assertStringIncludes(plain!, `\n5 figures: not in all results\n${lines}\n`);
  for (const name of names) {
    assertStringIncludes(markdown!, `\n- \`pattern, random: ${name}\`: gone\n`);
  }
  for (const many of text(less)) {
    assertEquals(many.match(/^( {2}|- `)cost, .* gone$/gm)?.length, 10);
    assertMatch(many, /gone\n( {2}|- )and \d+ more/);
  }
});

Deno.test("what holds, or fails, in both results is said in the words of its command", () => {
  const lineOf = (old: object, now: object) => {
    const [line] = [...compareText(compared(old, now), { ...PLAIN_PAGE, header: false })];
    return line;
  };
  const failed = statsResult({ rest: { ok: false } });
  const of = (...statuses: readonly string[]) =>
    checkReport(statuses.map((status, n) => checkOf(`a.${n}`, status)));
  assertEquals(
    [lineOf(statsResult(), statsResult()), lineOf(failed, failed)],
    [
      "ok: all that was checked holds in both results\n",
      "failed in both results: not all that was checked holds\n",
    ],
  );
  assertEquals(
    [lineOf(of("pass", "skip"), of("pass", "skip")), lineOf(of("fail"), of("fail"))],
    ["2 statements: the same\n", "1 statement: the same; failed in both results: 1\n"],
  );
});

Deno.test("less throughput is worse, and more is better", () => {
  const bench = (median: number) => ({
    schema: "dirtyring.bench/1",
    kernel: KVM,
    options: { guest: "long64", pattern: "random", seed: 1, ring: 65536 },
    cells: [],
    ringSizes: [{
      ringEntries: 256,
      samples: { storesPerSecond: times(median), fullExits: times(9).map(() => 9) },
    }],
    patterns: [],
    sorting: [],
    problems: [],
    ok: true,
    interrupted: null,
  });
  const rate = (old: number, now: number) =>
    changeOf(compared(bench(old), bench(now)), "storesPerSecond");
  assertEquals([rate(100, 80), rate(100, 95), rate(100, 130)], ["worse", "within", "better"]);
  assertEquals(changeOf(compared(bench(100), bench(100)), "fullExits"), "same");
});

/** How the one statement of two reports compares. */
function statement(old: object | null, now: object | null, change: object = {}): string {
  const checks = (one: object | null) => one === null ? [] : [one];
  const result = compared(checkReport(checks(old)), checkReport(checks(now), change));
  const told = result.statements[0]?.others[0]?.change ?? "same";
  assertEquals(result.ok, told !== "worse");
  return told;
}

Deno.test("a statement got worse where it fails, or is a known defect, that was none", () => {
  const one = (status: string, change: object = {}) => checkOf("reset.number", status, change);
  const worse = [["pass", "fail"], ["pass", "timeout"], ["skip", "fail"], ["known", "fail"]];
  worse.push(["pass", "known"], ["skip", "known"], ["pass", "skip"]);
  for (const [old, now] of worse) assertEquals(statement(one(old!), one(now!)), "worse", `${old}`);
  for (const [old, now] of [["fail", "pass"], ["known", "pass"], ["fail", "known"]]) {
    assertEquals(statement(one(old!), one(now!)), "better", `${old} ${now}`);
  }
  for (const [old, now] of [["skip", "pass"], ["fail", "skip"], ["fail", "timeout"]]) {
    assertEquals(statement(one(old!), one(now!)), "changed", `${old} ${now}`);
  }
  assertEquals([statement(null, one("pass")), statement(one("pass"), null)], ["new", "gone"]);
  assertEquals([statement(null, one("fail")), statement(null, one("known"))], ["worse", "worse"]);
});

Deno.test("what can no longer be shown is worse, but for an option and for another version", () => {
  const pass = checkOf("full.overflow", "pass");
  const skip = checkOf("full.overflow", "skip", { detail: "no such capability" });
  assertEquals(statement(pass, skip), "worse");
  assertEquals(statement(pass, { ...skip, withheld: "allow-warn" }), "changed");
  assertEquals(statement(pass, skip, { kernel: { ...KVM, release: "6.12.9" } }), "worse");
  assertEquals(statement(pass, skip, { kernel: { ...KVM, release: "6.1.9" } }), "changed");
});

Deno.test("an answer that differs is told, and one that differs in numbers alone is not", () => {
  const pass = (detail: string | null) => checkOf("mmap.exec", "pass", { detail });
  assertEquals(statement(pass("the answer is EPERM"), pass("the answer is EACCES")), "changed");
  assertEquals(statement(pass("3 of 10 calls met"), pass("4 of 12 calls met")), "same");
  assertEquals(statement(pass("3 of 10 calls met"), pass(null)), "changed");
  const fail = (seen: string) => checkOf("reset.number", "fail", { expected: "EINVAL", seen });
  assertEquals(statement(fail("EBUSY"), fail("ENOENT")), "changed");
});

Deno.test("what a report that ended early lacks is not gone", () => {
  const checks = [checkOf("a.a", "pass"), checkOf("b.b", "pass")];
  const early = { complete: false, interrupted: "SIGINT" };
  const result = compared(checkReport(checks), checkReport(checks.slice(0, 1), early));
  assertEquals([result.statements, result.others[0]!.partial], [[], "interrupted by SIGINT"]);
  const gone = compared(checkReport(checks), checkReport(checks.slice(0, 1)));
  assertEquals(gone.statements.map(({ id, others }) => [id, others[0]!.change]), [["b.b", "gone"]]);
});

Deno.test("a lost page and a failed run are a statement that does not hold", () => {
  const lost = { ok: false, lost: { count: 3, pages: [] } };
  const result = compared(statsResult(), statsResult({ rest: lost }));
  assertEquals(result.statements.map(({ id, others }) => [id, others[0]!.answer]), [[
    "ok",
    "3 pages lost",
  ]]);
  assertEquals([result.ok, result.counts[0]!.worse], [false, { statements: 1, figures: 0 }]);
});

Deno.test("results of other commands, labs or ends are refused, with what differs", () => {
  const refused = (now: object, message: string) =>
    assertThrows(() => compared(statsResult(), now), UsageError, message);
  refused(
    statsResult({ lab: { pages: 512, pattern: "a\u001bb" } }),
    'new.json: not comparable with old.json: lab.pattern is "a\\u001bb", not "random"; ' +
      "lab.pages is 512, not 256",
  );
  refused(checkReport([]), "it is a dirtyring.check/1, not a dirtyring.stats/1");
  refused(statsResult({ rest: { interrupted: "SIGTERM" } }), "new.json is not whole: interrupted");
});

/** A result of several kernels. */
function kernels(...all: readonly (readonly [string, object | null])[]) {
  return {
    schema: "dirtyring.check-kernels/1",
    kernels: all.map(([label, report]) => ({ label, report, problem: report ? null : "panicked" })),
  };
}

Deno.test("of several kernels each is compared with that of its label, others in their order", () => {
  const report = (status: string) => checkReport([checkOf("reset.number", status)]);
  const old = kernels(["6.1.1", report("pass")], ["6.12.1", report("fail")]);
  const now = kernels(["6.12.1", report("fail")], ["6.1.2", report("fail")]);
  const { statements, statementCount } = compared(old, now);
  assertEquals(statementCount, 4);
  assertEquals(statements.map(({ kernel, others }) => [kernel, others[0]!.change]), [[
    "6.1.1",
    "worse",
  ]]);
  const one = kernels(["6.1.1", report("pass")]);
  assertThrows(() => compared(old, one), UsageError, "it has 1 kernels, not 2");
});

Deno.test("a kernel that gives no report any more is worse, and nothing else is told of it", () => {
  const report = checkReport([checkOf("reset.number", "pass"), checkOf("reset.gap", "fail")]);
  const result = compared(kernels(["6.1", report]), kernels(["6.1", null]));
  assertEquals(result.statements.map(({ id, others }) => [id, others[0]!]), [[
    "report",
    { status: "fail", answer: "panicked", change: "worse" },
  ]]);
  assert(!result.ok);
});

Deno.test("several results are compared with the first, each by itself", () => {
  const all = [100, 300, 30].map((ns) => comparable("x.json", statsResult({ samples: times(ns) })));
  const { figures, counts, ok } = compare(all[0]!, all.slice(1), THRESHOLD);
  const row = figures.find(({ figure }) => figure === "resetNsPerEntry")!;
  assertEquals(row.others.map(({ change }) => change), ["worse", "better"]);
  assertEquals(counts.map(({ worse }) => worse.figures), [1, 0]);
  assertEquals(ok, false);
});

Deno.test("a field of another type is refused with the file, the field and its value", () => {
  const refused = (now: object, message: string) =>
    assertThrows(() => comparable("new.json", now), UsageError, message);
  const stats = (change: StatsChange) => statsResult(change);
  refused(stats({ total: { batches: "x" } }), 'new.json: total.batches is "x"; expected a number');
  refused(stats({ total: { calls: -1 } }), "new.json: total.calls is -1; expected 0 or more");
  refused(stats({ samples: [1, NaN] }), "measured.samples.resetNsPerEntry[1] is null; expected");
  refused(stats({ rest: { lost: [] } }), "new.json: lost is a list; expected an object");
  refused(stats({ kernel: { backend: "\u001bxen" } }), 'is "\\u001bxen"; expected kvm or model');
  refused({ schema: "dirtyring.compare/1" }, "schema is");
  refused({ schema: "__proto__" }, "schema is");
  refused({}, "new.json: schema is missing; expected a text");
  refused(checkReport([{}]), "new.json: checks[0].status is missing; expected pass or fail");
});

Deno.test("Markdown without times has counts alone", () => {
  const slower = { samples: [1, 2, 3, 4, 5], total: { batches: 1 } };
  const result = ofStats(slower, { samples: [11, 12, 13, 14, 15], total: { batches: 2 } });
  const text = (times: boolean) => [...compareMarkdown(result, { ...PLAIN_PAGE, times })].join("");
  assert(text(true).includes("resetNsPerEntry") && text(true).includes("batches"), text(true));
  assert(!text(false).includes("resetNsPerEntry") && text(false).includes("batches"), text(false));
});

Deno.test("Markdown holds what came from files in code spans, of one line each", () => {
  const answer = "a|b `c` <img src=x>\n# not a heading";
  const result = compared(
    checkReport([checkOf("reset.number", "pass")]),
    checkReport([checkOf("reset.number", "fail", { expected: "x", seen: answer })]),
  );
  const text = [...compareMarkdown(result, PLAIN_PAGE)].join("");
  assert(text.includes("`expected x, seen a\\|b 'c' <img src=x>; # not a heading`"), text);
  assert(text.startsWith("### dirtyring compare: worse\n"), text);
});
