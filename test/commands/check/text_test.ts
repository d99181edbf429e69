import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkJunit } from "../../../commands/check/check_junit.ts";
import { checkKtap } from "../../../commands/check/check_ktap.ts";
import { checkEndNdjson, checkResultNdjson } from "../../../commands/check/check_ndjson.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import { checkListText, checkText } from "../../../commands/check/check_text.ts";
import { OUT_OF_TIME, reportOf, RESULTS } from "../../support/check_results.ts";

const WHEN = new Date("2026-01-02T03:04:05.678Z");
const junit = (...args: Parameters<typeof reportOf>) =>
  [...checkJunit(reportOf(...args), { when: WHEN })].join("");
const ktap = (...args: Parameters<typeof reportOf>) => [...checkKtap(reportOf(...args))].join("");
const text = (...args: Parameters<typeof reportOf>) => [...checkText(reportOf(...args))].join("");

Deno.test("checkText() groups checks, a line each, and shows all that a failure knows", () => {
  assertEquals(text(RESULTS).split("\n"), [
    "kernel  Linux 6.18, kvm_pvm",
    "",
    "enabling",
    "  pass   cap.max-bytes            the largest ring in bytes",
    '  FAIL   enable.too-big           a size of <2 MiB> & "more" is E2BIG',
    "         ENABLE_CAP(2097152) # on a; fresh VM",
    "         expected  E2BIG",
    "         seen      0 \\u0000\\u001b[31m\\ud800 ü",
    "         source    virt/kvm/kvm_main.c",
    "",
    "mapping",
    "  pass   mmap.exec                PROT_EXEC is refused (the answer is EPERM)",
    "",
    "resetting",
    "  skip   reset.signal             of Linux 6.17 # SKIP and newer",
    "  known  reset.signal-lost-batch  pages 4 to 9 were not re-protected",
    "",
    "5 checks: 2 passed, 1 failed, 1 skipped, 1 known",
    "failed: enable.too-big",
    "",
  ]);
});

Deno.test("checkText() says what is missing, how often checks were made, and shows no groups where shuffled", () => {
  const part = text(RESULTS.slice(0, 1), { complete: false, interrupted: "SIGINT", repeat: 3 });
  assertStringIncludes(part, "1 check, each made 3 times: 1 passed, 0 failed");
  assertStringIncludes(part, "incomplete: interrupted by SIGINT after 1 of 5 checks\n");
  const shuffled = text([...RESULTS].reverse(), { seed: 1 });
  assert(!/^(enabling|mapping|resetting)$/m.test(shuffled));
  assertMatch(text(RESULTS, { strict: true }), /1 known, which --strict takes for failed/);
  assertEquals(text([]).split("\n").slice(1), [
    "",
    "0 checks: 0 passed, 0 failed, 0 skipped, 0 known",
    "",
  ]);
});

Deno.test("a check that is out of time counts as failed in every format, and tells why", () => {
  assertEquals(text([OUT_OF_TIME]).split("\n").slice(2), [
    "resetting",
    "  TIMEOUT  reset.signal  a signal ends the walk",
    "         did not end within 12 s: in KVM_RUN for 11.9 s; --timeout TIME sets another limit",
    "         source    virt/kvm/kvm_main.c",
    "",
    "1 check: 0 passed, 0 failed, 1 out of time, 0 skipped, 0 known",
    "out of time: reset.signal",
    "",
  ]);
  assertStringIncludes(
    ktap([OUT_OF_TIME]),
    "not ok 1 reset.signal # TIMEOUT did not end within 12 s: in KVM_RUN for 11.9 s; --timeout",
  );
  assertStringIncludes(ktap([OUT_OF_TIME]), "\nnot ok 3 resetting\n");
  const xml = junit([OUT_OF_TIME]);
  assertMatch(xml, /name="resetting"[^>]* failures="1" errors="0" skipped="0"/);
  assertMatch(xml, /<failure message="did not end within 12 s[^"]*" type="timeout">/);
  assertEquals(reportOf([OUT_OF_TIME]).summary.timeout, 1);
});

Deno.test("checkKtap() nests groups, plans them, and says why", () => {
  assertEquals(ktap(RESULTS).split("\n"), [
    "KTAP version 1",
    "1..3",
    "# kernel: Linux 6.18",
    "  KTAP version 1",
    "  # Subtest: enabling",
    "  1..2",
    "  ok 1 cap.max-bytes",
    '  # enable.too-big: a size of <2 MiB> & "more" is E2BIG',
    "  # enable.too-big: ENABLE_CAP(2097152) # on a; fresh VM",
    "  # enable.too-big: expected E2BIG",
    "  # enable.too-big: seen 0 \\u0000\\u001b[31m\\ud800 ü",
    "  # enable.too-big: source virt/kvm/kvm_main.c",
    "  not ok 2 enable.too-big",
    "not ok 1 enabling",
    "  KTAP version 1",
    "  # Subtest: mapping",
    "  1..1",
    "  # mmap.exec: the answer is EPERM",
    "  ok 1 mmap.exec",
    "ok 2 mapping",
    "  KTAP version 1",
    "  # Subtest: resetting",
    "  1..2",
    "  ok 1 reset.signal # SKIP of Linux 6.17 \\# SKIP and newer",
    "  # reset.signal-lost-batch: known defect: pages 4 to 9 were not re-protected",
    "  ok 2 reset.signal-lost-batch # XFAIL pages 4 to 9 were not re-protected",
    "ok 3 resetting",
    "",
  ]);
});

Deno.test("checkKtap() takes a known defect for failed where strict, and leaves out what was not reached", () => {
  const strict = ktap(RESULTS, { strict: true });
  assertStringIncludes(strict, "  not ok 2 reset.signal-lost-batch\nnot ok 3 resetting\n");
  assertStringIncludes(strict, "# reset.signal-lost-batch: known defect: pages 4 to 9");
  const part = ktap(RESULTS.slice(0, 1), { complete: false, interrupted: "SIGTERM" });
  assertStringIncludes(part, "1..3\n");
  assertStringIncludes(part, "  1..2\n  ok 1 cap.max-bytes\nok 1 enabling\n");
  assertStringIncludes(part, "# incomplete: interrupted by SIGTERM after 1 of 5 checks\n");
  assert(!part.includes("mapping"));
});

Deno.test("checkKtap() says that a group is skipped only where all of it is", () => {
  const [skipped] = RESULTS.filter(({ status }) => status === "skip");
  assertStringIncludes(ktap([skipped!]), "\nok 3 resetting # SKIP all of it\n");
});

Deno.test("checkJunit() writes a suite for each group, escaped", () => {
  const xml = junit(RESULTS);
  assertStringIncludes(
    xml,
    '  <testsuite package="dirtyring" id="0" name="enabling" timestamp="2026-01-02T03:04:05" ' +
      'hostname="localhost" tests="2" failures="1" errors="0" skipped="0" time="0.003000">\n',
  );
  assertStringIncludes(
    xml,
    '<testcase name="cap.max-bytes" classname="dirtyring.enabling" time="0.001500"/>',
  );
  assertStringIncludes(
    xml,
    '<failure message="ENABLE_CAP(2097152) # on a&#10;fresh VM: expected E2BIG, seen ' +
      '0 \ufffd\ufffd[31m\ufffd ü" type="failed check">a size of &lt;2 MiB&gt; &amp; ' +
      "&quot;more&quot; is E2BIG&#10;",
  );
  assertStringIncludes(xml, '<skipped message="of Linux 6.17 # SKIP and newer"/>');
  assertStringIncludes(
    xml,
    '<skipped message="known defect: pages 4 to 9 were not re-protected"/>',
  );
  assertStringIncludes(xml, "<system-out>mmap.exec: the answer is EPERM</system-out>");
  assertStringIncludes(xml, '<property name="complete" value="true"/>');
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u0008\u000b-\u001f]/.test(xml) && xml.isWellFormed());
});

Deno.test("checkJunit() without times has none", () => {
  const text = [...checkJunit(reportOf(RESULTS), { when: null })].join("");
  assertStringIncludes(text, '<testcase name="cap.max-bytes" classname="dirtyring.enabling"/>');
  assert(!/ time(stamp)?="/.test(text), text);
});

Deno.test("checkJunit() counts as the others do, strict or incomplete", () => {
  const strict = junit(RESULTS, { strict: true });
  assertStringIncludes(strict, '<failure message="known defect: pages 4 to 9');
  assertMatch(strict, /name="resetting"[^>]* failures="1" errors="0" skipped="1"/);
  const part = junit(RESULTS.slice(0, 1), { complete: false, interrupted: "SIGINT" });
  assertMatch(part, /name="mapping"[^>]* tests="0" failures="0"/);
  assertStringIncludes(part, '<property name="complete" value="false"/>');
  assertStringIncludes(part, "incomplete: interrupted by SIGINT after 1 of 5 checks");
});

Deno.test("NDJSON is a line a check, and last what the JSON result has beside them", () => {
  const report = reportOf(RESULTS);
  const lines = [
    ...RESULTS.flatMap((one) => [...checkResultNdjson(one, PLAIN_PAGE)]),
    ...checkEndNdjson(report, PLAIN_PAGE),
  ];
  assert(lines.every((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1));
  const parsed = lines.map((line) => JSON.parse(line));
  assertEquals(parsed.slice(0, -1).map(({ id }) => id), RESULTS.map(({ id }) => id));
  const { checks: _, ...rest } = report;
  assertEquals(parsed.at(-1), rest);
});

Deno.test("checkListText() has a head and a line a check", () => {
  const listed = { id: "a.b", group: "full", where: "live", statement: "s", source: "x" } as const;
  const lines = [...checkListText({ schema: "dirtyring.check-list/1", checks: [listed] })];
  assertEquals(lines, ["id   where  statement  source\n", "a.b  live   s          x\n"]);
});
