// Several kernels checked: which answers differ, and how that is shown.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { optionFlag } from "../../../cli/option.ts";
import { checkKernelsJunit } from "../../../commands/check/check_junit.ts";
import { checkKernelsText } from "../../../commands/check/check_kernels_text.ts";
import { checkKernelsKtap } from "../../../commands/check/check_ktap.ts";
import type { CheckReport } from "../../../conformance/runner/check_report.ts";
import { conformance } from "../../../conformance/runner/conformance.ts";
import { type KernelsReport, kernelsReport } from "../../../conformance/runner/kernels_report.ts";
import { ALL_CHECKS } from "../../../conformance/statements/all_checks.ts";
import type { UnlabelledRun } from "../../../host/kernel_run.ts";
import { openModel } from "../../../model/model_kernel.ts";
import { jsonText } from "../../../report/json.ts";
import { OUT_OF_TIME } from "../../support/check_results.ts";
import {
  checksWith,
  DEAD,
  kernelsOf,
  PASSED,
  releaseReport,
  runOf,
} from "../../support/kernel_runs.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import "../../support/libc.ts"; // what listens to signals binds it

const WHEN = new Date("2026-01-02T03:04:05.678Z");
const text = (report: KernelsReport, width?: number) =>
  [...checkKernelsText(report, { ...PLAIN_PAGE, columns: width ?? null })].join("");
const ktap = (report: KernelsReport) => [...checkKernelsKtap(report)].join("");
const junit = (report: KernelsReport) => [...checkKernelsJunit(report, { when: WHEN })].join("");

const WELL = checksWith({ "enable.too-big": PASSED });
const WELL_RUN = runOf(releaseReport("6.12", WELL));
const FAILED_RUN = runOf(releaseReport("6.18", checksWith()), { status: 1 });
const dead = (changes: Partial<UnlabelledRun<CheckReport>> = {}) =>
  runOf<CheckReport>(null, changes);
const DEAD_RUN = dead(DEAD);
const answersOf = (report: KernelsReport) =>
  Object.fromEntries(report.differing.map(({ id, answers }) => [id, answers]));

Deno.test("answers differ by their status alone, in the order of the documentation", () => {
  const other = checksWith({
    "reset.signal": { detail: "for another reason" },
    "mmap.exec": { detail: "the answer is EINVAL" },
    "enable.too-big": { seen: "EINVAL" },
  });
  const report = (checks: typeof other) => runOf(releaseReport("6.12", checks));
  assertEquals(kernelsOf([report(checksWith()), report(other)]).differing, []);
  const more = checksWith({
    "reset.signal": PASSED,
    "cap.max-bytes": { status: "skip", detail: "no KVM" },
    "reset.signal-lost-batch": { status: "fail" },
  });
  const all = kernelsOf([report(checksWith()), report(more.reverse()), report(other)]);
  assertEquals(answersOf(all), {
    "cap.max-bytes": ["pass", "skip", "pass"],
    "reset.signal": ["skip", "pass", "skip"],
    "reset.signal-lost-batch": ["known", "fail", "known"],
  });
  assertEquals(all.differing.map(({ id }) => id), Object.keys(answersOf(all)));
  assertEquals(all.differing[0]!.statement, "the largest ring in bytes");
});

Deno.test("a statement that is missing differs, unless its kernel did not come so far", () => {
  const part = WELL.slice(0, 2);
  const whole = kernelsOf([WELL_RUN, runOf(releaseReport("6.18", part))]);
  assertEquals(answersOf(whole), {
    "mmap.exec": ["pass", null],
    "reset.signal": ["skip", null],
    "reset.signal-lost-batch": ["known", null],
  });
  const ended = runOf(releaseReport("6.18", part, { complete: false }), { ...DEAD, status: 125 });
  const broken = kernelsOf([WELL_RUN, ended, DEAD_RUN, FAILED_RUN]);
  assertEquals(answersOf(broken), { "enable.too-big": ["pass", "pass", null, "fail"] });
  assertEquals([broken.complete, broken.ok], [false, false]);
  const well = kernelsOf([WELL_RUN, WELL_RUN]);
  assertEquals([well.complete, well.ok], [true, true]);
  assertEquals(kernelsOf([WELL_RUN, WELL_RUN], "SIGINT").ok, false);
});

Deno.test("two kernels in memory differ where their versions do, and nowhere else", async () => {
  const ids = [
    "cap.max-bytes",
    "enable.too-big",
    "push.prefault",
    "reset.int-max",
    "coalesce.start",
    "coalesce.calls-v5.11",
    "coalesce.calls-v6.17",
  ];
  const plan = ALL_CHECKS.filter(({ id }) => ids.includes(id));
  const run = async (version: "v5.11" | "latest") => {
    const kernel = openModel({ version, pml: false, emulator: false });
    const report = await conformance(
      kernel,
      plan,
      {
        model: version,
        allowWarn: false,
        allowHarm: false,
        trace: null,
        timeoutMs: null,
        naming: optionFlag,
        repeat: 1,
        // Shuffled: rows have their order all the same.
        seed: 3,
        strict: false,
      },
      { begin: () => true, result: () => true },
    );
    return runOf(report);
  };
  const order = ALL_CHECKS.map(({ id }) => id);
  const report = kernelsReport([await run("v5.11"), await run("latest")], order, null);
  assertEquals([report.ok, report.complete], [true, true]);
  assertEquals(Object.entries(answersOf(report)), [
    ["push.prefault", ["skip", "pass"]],
    ["reset.int-max", ["skip", "pass"]],
    ["coalesce.calls-v5.11", ["pass", "skip"]],
    ["coalesce.calls-v6.17", ["skip", "pass"]],
  ]);
  assertStringIncludes(text(report), "4 answers differ, of 7 statements\n");
  assertMatch(text(report), /^ +5\.11\.0 +6\.\d+\.0\npush\.prefault +skip +pass\n/m);
  assertEquals(JSON.parse([...jsonText(report)].join("")), report);
});

Deno.test("text: a line for each answer that differs, the counts, and all that failures know", () => {
  assertEquals(text(kernelsOf([WELL_RUN, FAILED_RUN])).split("\n"), [
    "kernels  6.12  /boot/vmlinuz-6.12, kvm_amd",
    "         6.18  /boot/vmlinuz-6.18, kvm_amd",
    "",
    "1 answer differs, of 5 statements",
    "",
    "                6.12  6.18",
    "enable.too-big  pass  FAIL",
    "",
    "passed          3     2",
    "failed          0     1",
    "skipped         1     1",
    "known           1     1",
    "",
    "failed where the kernels differ",
    '  FAIL   enable.too-big  a size of <2 MiB> & "more" is E2BIG',
    "         ENABLE_CAP(2097152) # on a; fresh VM",
    "         expected  E2BIG",
    "         seen      0 \\u0000\\u001b[31m\\ud800 ü",
    "         source    virt/kvm/kvm_main.c",
    "         on        6.18",
    "",
    "6.18: failed: enable.too-big",
    "",
  ]);
});

Deno.test("text: what fails everywhere differs nowhere, and is shown; once where it is the very same", () => {
  const checks = checksWith({
    "mmap.exec": { status: "fail", reports: [["WARNING: \u001b here", "call trace"]] },
  });
  const other = checksWith({ "mmap.exec": { status: "fail", ms: 9 } });
  const shown = text(kernelsOf([
    runOf(releaseReport("6.1", checks)),
    runOf(releaseReport("6.12", other)),
    runOf(releaseReport("6.18", other)),
  ]));
  assertStringIncludes(shown, "\nthe kernels agree: no answer differs, of 5 statements\n");
  assert(!shown.includes("where the kernels differ"));
  const [, below = ""] = shown.split("\nfailed on every kernel that was asked\n");
  assertEquals(below.match(/^ {2}FAIL +\S+|^ {9}on .*$/gm), [
    "  FAIL   enable.too-big",
    "         on        6.1, 6.12, 6.18",
    "  FAIL   mmap.exec",
    "         on        6.1",
    "  FAIL   mmap.exec",
    "         on        6.12, 6.18",
  ]);
  assertStringIncludes(below, "kernel    WARNING: \\u001b here\n         kernel    call trace\n");
  assertStringIncludes(below, "\n6.12: failed: enable.too-big, mmap.exec\n");
});

Deno.test("text: known defects count as failed where strict, and timeouts have their row", () => {
  const strict = { strict: true };
  const shown = text(kernelsOf([
    runOf(releaseReport("6.12", [...WELL.slice(0, 3), OUT_OF_TIME, WELL[4]!], strict)),
    runOf(releaseReport("6.18", WELL, strict)),
  ]));
  assertMatch(shown, /^reset\.signal +TIMEOUT +skip$/m);
  assertMatch(shown, /^out of time +1 +0$/m);
  assertMatch(shown, /\n {2}TIMEOUT {2}reset\.signal .*\n {9}did not end within 12 s.*\n/);
  assertMatch(
    shown,
    /asked\n {2}known {2}reset\.signal-lost-batch {2}pages 4 to 9 .*\n {9}on .*12, 6/,
  );
  assertStringIncludes(shown, "\n6.12: out of time: reset.signal\n");
});

Deno.test("text: a kernel without a report is a column of dashes, and the end of its console", () => {
  const shown = text(kernelsOf([FAILED_RUN, DEAD_RUN, WELL_RUN]));
  assertStringIncludes(shown, "         vmlinuz-dead  /boot/vmlinuz-dead, no report\n");
  assertMatch(shown, /^enable\.too-big {2}FAIL {2}- {13}pass\n\npassed {10}2 {5}- {13}3$/m);
  assertStringIncludes(
    shown,
    "\nvmlinuz-dead: kernel panic: \\u001b[2J<&>; Fatal exception; check reset.signal was running\n" +
      "  | BUG: \\u0007\\u001b[31m null\n  | Subtest: reset\n",
  );
  assertStringIncludes(shown, "  | List of all partitions:\n  |\n  | reboot: System halted\n");
  const none = text(kernelsOf([DEAD_RUN, WELL_RUN]));
  assertStringIncludes(none, "\nnothing to compare: fewer than two kernels were checked\n");
  const silent = text(kernelsOf([dead(), dead({ console: ["Booting"] })]));
  assertStringIncludes(silent, "\nvmlinuz-dead (2): ended without a report\n  | Booting\n");
});

Deno.test("text: what is missing of a kernel's checks is counted and said", () => {
  const ended = releaseReport("6.18", WELL.slice(0, 2), {
    complete: false,
    interrupted: "SIGTERM",
    kernelLog: { read: false, why: "open(/dev/kmsg): EPERM", lost: 0 },
  });
  const shown = text(kernelsOf([WELL_RUN, runOf(ended, { status: 143 }), dead()], "SIGTERM"));
  assertMatch(shown, /^not made {2}0 +3 +-$/m);
  assertStringIncludes(shown, "\n6.18: incomplete: interrupted by SIGTERM after 2 of 5 checks\n");
  assertStringIncludes(
    shown,
    "\n6.18: the kernel's log is not looked at: open(/dev/kmsg): EPERM\n",
  );
  assertStringIncludes(shown, "\nvmlinuz-dead: interrupted by SIGTERM\n");
  assert(!text(kernelsOf([WELL_RUN, FAILED_RUN])).includes("not made"));
});

Deno.test("text: labels that would make lines too long are numbers, with their meaning above", () => {
  const long = (n: number) =>
    runOf(releaseReport(`6.12.${n}+deb12-amd64`, n === 3 ? WELL : checksWith()));
  const five = [1, 2, 3, 4, 5].map(long);
  const longest = (shown: string) =>
    Math.max(...shown.split("\nfailed")[0]!.split("\n").map((line) => line.length));
  const three = text(kernelsOf(five.slice(1, 4)));
  assertMatch(
    three,
    /^ +6\.12\.2\+deb12-amd64 {2}6\.12\.3\+deb12-amd64 {2}6\.12\.4\+deb12-amd64$/m,
  );
  assert(longest(three) <= 80);
  const shown = text(kernelsOf(five));
  assertStringIncludes(
    shown,
    "kernels  [1]  6.12.1+deb12-amd64  /boot/vmlinuz-6.12.1+deb12-amd64, kvm_amd\n",
  );
  assertStringIncludes(shown, "         [5]  6.12.5+deb12-amd64  /boot/");
  assertMatch(
    shown,
    /^ +\[1\] {3}\[2\] {3}\[3\] {3}\[4\] {3}\[5\]\nenable.too-big {2}FAIL {2}FAIL {2}pass /m,
  );
  assert(longest(shown) <= 80);
  // A narrow terminal has numbers for two, a wide one has labels for five.
  assertMatch(
    text(kernelsOf(five.slice(2, 4)), 40),
    /^ +\[1\] {3}\[2\]\nenable.too-big {2}pass {2}FAIL$/m,
  );
  assert(!text(kernelsOf(five), 200).includes("[1]"));
});

/** Checks that plans and numbers of KTAP fit, and gives back the test lines of the outermost tests. */
function outermost(lines: readonly string[]): string[] {
  const depthOf = (line: string) => /^ */.exec(line)![0].length;
  const planned = new Map<number, number[]>();
  for (const line of lines) {
    const depth = depthOf(line);
    const words = line.trim();
    if (words.startsWith("1..")) planned.set(depth, [Number(words.slice(3)), 0]);
    const result = /^(?:not )?ok (\d+) [^#\\]+( # .*)?$/.exec(words);
    if (result === null) {
      assertMatch(words, /^(KTAP version 1|1\.\.\d+|# .+)$/);
      continue;
    }
    const plan = planned.get(depth)!;
    assertEquals(Number(result[1]), ++plan[1]!);
    assert(plan[1]! <= plan[0]!);
    const inner = planned.get(depth + 2);
    if (inner !== undefined) assertEquals(inner[0], inner[1]);
    planned.delete(depth + 2);
  }
  return lines.filter((line) => /^(not )?ok /.test(line));
}

Deno.test("KTAP: a test for each kernel, with the groups below it", () => {
  const shown = ktap(kernelsOf([WELL_RUN, FAILED_RUN, DEAD_RUN]));
  const lines = shown.trimEnd().split("\n");
  assertEquals(outermost(lines), ["ok 1 6.12", "not ok 2 6.18", "not ok 3 vmlinuz-dead"]);
  assertEquals(lines.slice(0, 9), [
    "KTAP version 1",
    "1..3",
    "  KTAP version 1",
    "  # Subtest: 6.12",
    "  1..3",
    "  # kernel: Linux 6.12",
    "    KTAP version 1",
    "    # Subtest: enabling",
    "    1..2",
  ]);
  assertStringIncludes(shown, "    not ok 2 enable.too-big\n  not ok 1 enabling\n");
  assertStringIncludes(shown, "\n  not ok 1 enabling\n    KTAP version 1\n");
});

Deno.test("KTAP: nothing that a dead kernel's console says is taken for a test, or for the end", () => {
  const shown = ktap(kernelsOf([
    dead({ ...DEAD, kernel: "- a #2\u001b" }),
    runOf(releaseReport("6.18", WELL.slice(0, 2), { complete: false }), { ...DEAD, status: 125 }),
    WELL_RUN,
  ]));
  const lines = shown.trimEnd().split("\n");
  assertEquals(lines.filter((line) => /^\S*ok /.test(line.replace("not ", "not"))), [
    "not ok 1 -a ?2\\u001b",
    "not ok 2 6.18",
    "ok 3 6.12",
  ]);
  assertStringIncludes(
    shown,
    "# problem: kernel panic: \\u001b[2J<&>; Fatal exception; check reset.signal",
  );
  assertStringIncludes(
    shown,
    "# console: BUG: \\u0007\\u001b[31m null\n# console: Subtest: reset\n",
  );
  // tools/testing/kunit/kunit_parser.py: KTAP_END, which it searches for anywhere in a line.
  const ends = /(List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted)/;
  assertEquals(lines.filter((line) => ends.test(line)), []);
  assert(DEAD.console.some((line) => ends.test(line)));
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u0009\u000b-\u001f]/.test(shown));
});

Deno.test("KTAP: a kernel that was not begun is left out, and one that skips all says so", () => {
  const skipped = WELL.map((one) => ({ ...one, status: "skip" as const, detail: "no KVM" }));
  const shown = ktap(kernelsOf([runOf(releaseReport("6.12", skipped)), dead()], "SIGINT"));
  assertEquals(outermost(shown.trimEnd().split("\n")), ["ok 1 6.12 # SKIP all of it"]);
  assertStringIncludes(
    ktap(kernelsOf([dead()])),
    "# problem: ended without a report\nnot ok 1 ",
  );
});

Deno.test("JUnit: suites and classes have the kernel's name, and a VM that failed is an error", () => {
  const args = { kernelArgs: '"a" <b>', cpu: "amd" };
  const xml = junit(kernelsOf([
    { ...WELL_RUN, ...args },
    runOf(releaseReport("6.18 <&>", WELL.slice(0, 2), { complete: false }), DEAD),
    DEAD_RUN,
  ]));
  const suites = [
    ...xml.matchAll(/<testsuite [^>]* id="(\d+)" name="([^"]*)"[^>]* errors="(\d)"/g),
  ];
  assertEquals(suites.map(([, id, name, errors]) => [id, name, errors]), [
    ["0", "6.12 enabling", "0"],
    ["1", "6.12 mapping", "0"],
    ["2", "6.12 resetting", "0"],
    ["3", "6.18 &lt;&amp;&gt; enabling", "0"],
    ["4", "6.18 &lt;&amp;&gt; mapping", "0"],
    ["5", "6.18 &lt;&amp;&gt; resetting", "0"],
    ["6", "6.18 &lt;&amp;&gt;", "1"],
    ["7", "vmlinuz-dead", "1"],
  ]);
  assertStringIncludes(xml, '<testcase name="cap.max-bytes" classname="dirtyring.6.12.enabling" ');
  assertStringIncludes(xml, '<property name="kernelArgs" value="&quot;a&quot; &lt;b&gt;"/>');
  assertStringIncludes(xml, '<property name="cpu" value="amd"/>');
  assertStringIncludes(
    xml,
    '<error message="kernel panic: \\u001b[2J&lt;&amp;&gt;; Fatal exception; check reset.signal was running" ' +
      'type="no whole report">',
  );
  assertStringIncludes(xml, "&#10;]]&gt; Kernel panic - not syncing: VFS: Unable");
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u0008\u000b-\u001f]/.test(xml));
  assertEquals(xml.match(/<testsuite /g)!.length, xml.match(/<\/testsuite>/g)!.length);
  const missed = junit(kernelsOf([WELL_RUN, dead()], "SIGINT"));
  assert(!missed.includes("<error") && !missed.includes("vmlinuz-dead"));
  assertStringIncludes(junit(kernelsOf([dead()])), '<error message="ended without a report"');
});
