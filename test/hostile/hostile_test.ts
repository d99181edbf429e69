// Hostile inputs of each format, from a seed: first those that once found a defect, then some of
// all others. `deno task hostile` runs a million of them.
import { assert, assertEquals } from "@std/assert";
import { chanceOf } from "./chance.ts";
import { FORMATS, schedule } from "./formats.ts";
import type { Format } from "./hostile_case.ts";
import { documentedStatuses, judge, type Outcome, shown } from "./judge.ts";
import { type Failure, runCases } from "./pool.ts";

const SEED = 1;
/** They take some seconds on two processors. */
const CASES = 3000;

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
const DOCUMENTED = documentedStatuses(README);

Deno.test("no file, folder or command line of some thousand does harm", async () => {
  const failures: Failure[] = [];
  const tallies = await runCases({
    formats: FORMATS,
    seed: SEED,
    from: 0,
    end: CASES,
    processes: 2,
    keep: null,
    failed: (failure) => failures.push(failure),
    ended: () => {},
  });
  const told = failures.map(({ format, number, kind, detail, args }) =>
    `${kind}: ${detail}\n  dirtyring ${args.map((arg) => shown(arg, 100)).join(" ")}\n` +
    `  deno task hostile --format ${format} --seed ${SEED} --case ${number}`
  );
  assert(told.length === 0, `${told.length} failures\n${told.slice(0, 10).join("\n")}`);
  // All cases were run, and each format had some.
  const cases = [...tallies.values()].reduce((sum, tally) => sum + tally.cases, 0);
  assertEquals([cases, tallies.size], [CASES, FORMATS.length]);
  // They go deep enough: some are restored, some run, some refused.
  for (const [format, status] of [["checkpoint", 0], ["checkpoint", 1], ["pattern", 0]] as const) {
    assert((tallies.get(format)?.statuses.get(status) ?? 0) > 0, `${format}: none with ${status}`);
  }
});

const WELL: Outcome = {
  args: ["dump"],
  status: 2,
  expected: null,
  stdout: "a line\n\twith a tab\n",
  stderr: "dirtyring: no\n",
  ms: 5,
  peakBytes: 100 * 2 ** 20,
  left: [],
};

Deno.test("what is well has no fault", () => {
  assertEquals(judge(WELL, DOCUMENTED), []);
  assertEquals([...DOCUMENTED].sort((a, b) => a - b), [0, 1, 2, 3, 4, 70, 125, 129, 130, 141, 143]);
});

Deno.test("each fault is found", () => {
  const faults: readonly (readonly [string, Partial<Outcome>])[] = [
    ["status", { status: 70 }],
    ["status", { status: 5 }],
    ["status", { status: 3, expected: 2 }],
    ["status", { status: 130 }],
    ["status", { status: 2, args: ["check", "--bisect"] }],
    ["stack", { stderr: "dirtyring: Error\n    at main (file:///main.ts:1:1)\n" }],
    ["stack", { stdout: "    at x\n" }],
    ...["\x1b[2J", "\r", "\x7f", "\u009b", "\u202e", "\u2028", "\0", "\v"].flatMap((text) =>
      (["stdout", "stderr"] as const).map((name) =>
        ["control", { [name]: `dirtyring: x${text}\n` }] as const
      )
    ),
    ["control", { stdout: "\x1b[31mruns on\n" }],
    ["forged", { stdout: "\x1b[32mFORGED\x1b[39m" }],
    ["forged", { stderr: "dirtyring: a\nFORGED ok\n" }],
    ["forged", { stdout: "FORGED" }],
    ["message", { stderr: "" }],
    ["message", { stderr: `dirtyring: ${"x".repeat(5000)}\n` }],
    ["left", { left: ["result.json.1.part"] }],
    ["time", { ms: 10_001 }],
    ["memory", { peakBytes: 301 * 2 ** 20 }],
  ];
  for (const [kind, change] of faults) {
    const found = judge({ ...WELL, ...change }, DOCUMENTED);
    assertEquals(found.map((fault) => fault.kind), [kind], JSON.stringify(change));
  }
});

Deno.test("a case is the same whatever came before it, and another with each number, seed and format", () => {
  const words = (format: string, seed: number, number: number) => {
    const random = chanceOf(format, seed, number);
    return Array.from({ length: 8 }, () => random(2 ** 32)).join();
  };
  assertEquals(words("chain", 1, 2), words("chain", 1, 2));
  const all = ["chain", "pattern"].flatMap((format) =>
    [0, 1, 2 ** 40].flatMap((seed) => [0, 1, 999_999].map((number) => words(format, seed, number)))
  );
  assertEquals(new Set(all).size, all.length);
});

Deno.test("cases that were found come first, then each format by its share, none twice", () => {
  const make = () => Promise.resolve({ args: [] });
  const formats: readonly Format[] = [
    { name: "a", share: 3, make },
    { name: "b", share: 1, make },
    { name: "found", share: 1, count: 2, make },
  ];
  const at = schedule(formats);
  const names = Array.from({ length: 42 }, (_, n) => at(n)!);
  assertEquals(names.slice(0, 2).map(({ format }) => format), ["found", "found"]);
  assertEquals(names.filter(({ format }) => format === "b").map(({ number }) => number), [
    ...Array(10).keys(),
  ]);
  assertEquals(new Set(names.map(({ format, number }) => `${format} ${number}`)).size, 42);
  assertEquals(schedule(formats.slice(2))(2), null);
});
