// The kernel's log during a command: what was read, what was lost, and to which part a report is
// attributed.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { checkJunit } from "../../commands/check/check_junit.ts";
import { checkKtap } from "../../commands/check/check_ktap.ts";
import { checkText } from "../../commands/check/check_text.ts";
import { watchKernel } from "../../commands/watch_kernel.ts";
import type { CheckResult } from "../../conformance/kit/check.ts";
import { judgeReports, type PlannedCheck, supervise } from "../../conformance/runner/supervisor.ts";
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KernelLog } from "../../host/kernel_log.ts";
import { openModel } from "../../model/model_kernel.ts";
import { kernelLogText } from "../../report/notes.ts";
import { checkRun as run, reportOf, RESULTS } from "../support/check_results.ts";
import { withLog } from "../support/fake_log.ts";

const MODEL = openModel({ version: "latest", pml: false, emulator: false });
const WARN = "WARNING: CPU: 0 PID: 1 at virt/kvm/dirty_ring.c:1 f+0x1/0x2";
const KASAN = "BUG: KASAN: use-after-free in f+0x1/0x2";
const LOG = { read: true, why: null, lost: 0 };

Deno.test("KernelLog tells what was reported since it was last asked, and closes its file", () => {
  const fake = withLog(MODEL);
  {
    using log = new KernelLog(fake.kernel);
    assertEquals([log.facts, log.take()], [LOG, []]);
    fake.write("ordinary", WARN, "a\\x0ab", -ERRNO.EINTR, { raw: "6,200,1,-;c\n SUBSYSTEM=kvm\n" });
    assertEquals(log.take(), [{ isWarning: true, lines: [WARN, "a", "b", "c"] }]);
    assertEquals(log.take(), []);
    fake.write(KASAN);
    assertEquals(log.take().map(({ lines }) => lines), [[KASAN]]);
    assertEquals(fake.opened(), 1);
  }
  assertEquals(fake.opened(), 0);
});

Deno.test("KernelLog passes over what is there already only by going to the end", () => {
  const fake = withLog(MODEL);
  let whence = -1;
  const kernel: Kernel = { ...fake.kernel, lseek: (_fd, _offset, one) => (whence = one, 0) };
  new KernelLog(kernel)[Symbol.dispose]();
  assertEquals(whence, 2);
});

Deno.test("KernelLog counts the records that were overwritten before it read them", () => {
  const fake = withLog(MODEL);
  using log = new KernelLog(fake.kernel);
  fake.write(-ERRNO.EPIPE, { raw: "4,100,1,-;x\n" });
  assertEquals([log.take(), log.facts?.lost], [[], 1]);
  fake.write({ raw: "4,101,1,-;x\n" }, -ERRNO.EPIPE, { raw: `4,111,1,-;${WARN}\n` });
  assertEquals([log.take().length, log.facts?.lost], [1, 10]);
});

Deno.test("KernelLog says why it cannot be read, and that a model has none", () => {
  const why = (kernel: Kernel) => {
    using log = new KernelLog(kernel);
    assertEquals([log.take(), log.facts?.read], [[], log.facts === null ? undefined : false]);
    return log.facts === null ? null : log.facts.why;
  };
  assertEquals(why(MODEL), null);
  const closed: Kernel = { ...MODEL, backend: "kvm", open: () => -ERRNO.EPERM };
  assertEquals(why(closed), "open(/dev/kmsg): EPERM (operation not permitted)");
  const seekless = withLog(MODEL, { atEnd: -ERRNO.ESPIPE });
  assertEquals(why(seekless.kernel), "lseek(/dev/kmsg): ESPIPE (cannot seek)");
  // /dev/null in its place, as in some containers.
  const empty = withLog(MODEL, { lastRead: 0 });
  assertEquals(why(empty.kernel), "/dev/kmsg is not the kernel's log");
  assertEquals([seekless.opened(), empty.opened()], [0, 0]);
});

Deno.test("KernelLog comes back from a kernel that logs without end, and from lines that are no records", () => {
  const fake = withLog(MODEL);
  const record = new TextEncoder().encode(`4,1,1,-;${KASAN}\n`);
  let isEndless = false;
  const read: Kernel["read"] = (fd, into) => {
    if (!isEndless) return fake.kernel.read(fd, into);
    into.set(record);
    return record.length;
  };
  using log = new KernelLog({ ...fake.kernel, read });
  fake.write({ raw: "no record" }, { raw: "4;x" }, { raw: `a,b,c;${KASAN}` });
  assertEquals(log.take(), []);
  isEndless = true;
  assert(log.take().length > 0);
});

const warning = { isWarning: true, lines: [WARN, "RIP: x"] };
const kasan = { isWarning: false, lines: [KASAN] };

Deno.test("a report of the kernel fails the check, whatever that saw", () => {
  assertEquals(judgeReports(run("pass", "so"), [], false), run("pass", "so"));
  for (const status of ["pass", "skip", "known"] as const) {
    const judged = judgeReports(run(status, "so"), [warning], false);
    assertEquals([judged.status, judged.reports], ["fail", [warning.lines]]);
    assertEquals(judged.detail, `the kernel reported: ${WARN}; otherwise ${status}, so`);
  }
  for (const status of ["fail", "timeout"] as const) {
    const judged = judgeReports(run(status, "so"), [warning], false);
    assertEquals(judged, { ...run(status, "so"), reports: [warning.lines] });
  }
  assertEquals(judgeReports(run("pass"), Array(9).fill(kasan), false).reports.length, 4);
});

Deno.test("a check that makes the kernel warn fails for what is no warning alone", () => {
  const judged = judgeReports(run("known", "so"), [warning], true);
  assertEquals(judged, { ...run("known", "so"), reports: [warning.lines] });
  const worse = judgeReports(run("known", "so"), [warning, kasan], true);
  assertEquals(worse.detail, `the kernel reported: ${KASAN}; otherwise known, so`);
});

Deno.test("supervise() holds reports against the check that ran, the last one's child included", async () => {
  const plan: PlannedCheck[] = ["pass", "known", "again.pass", "last.pass"].map((id) => ({
    id,
    group: "full",
    statement: "s",
    source: "x",
    ...(id === "known" ? { warns: true } : {}),
  }));
  const takes = [[warning], [warning], [], [kasan]];
  const found: CheckResult[] = [];
  const results = supervise(plan, {
    module: new URL("../support/misbehaving_child.ts", import.meta.url),
    args: [],
    isTraced: false,
    timeoutMs: 20_000,
    repeat: 1,
    board: null,
    log: { take: () => takes.shift()! },
    abort: new AbortController().signal,
  });
  for await (const result of results) found.push(result);
  assertEquals(found.map(({ status }) => status), ["fail", "known", "pass", "fail"]);
  assertEquals(found.map(({ reports }) => reports.length), [1, 1, 0, 1]);
  assertEquals(takes, []);
});

const judged = { ok: true, problems: ["a"], other: 1 };

Deno.test("watchKernel() adds what the kernel reported, and says it", async () => {
  const fake = withLog(MODEL);
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  const fine = await watchKernel(fake.kernel, note, () => Promise.resolve(judged));
  assertEquals(fine, { ...judged, kernelLog: { ...LOG, reports: [] } });
  assertEquals(notes, []);
  const work = () => {
    fake.write(`${WARN} \u001b[31m`, "RIP: x");
    return Promise.resolve(judged);
  };
  const watched = await watchKernel(fake.kernel, note, work);
  assertEquals([watched.ok, watched.problems], [false, [
    "a",
    `the kernel reported: ${WARN} \\u001b[31m`,
  ]]);
  assertEquals(watched.kernelLog?.reports, [[`${WARN} \u001b[31m`, "RIP: x"]]);
  assertEquals(notes, [`the kernel reported: ${WARN} \\u001b[31m`, "  RIP: x"]);
  assertEquals(fake.opened(), 0);
});

Deno.test("watchKernel() says what was reported where the work throws, and leaves a model alone", async () => {
  const fake = withLog(MODEL);
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  const throwing = () => {
    fake.write(-ERRNO.EPIPE, KASAN);
    return Promise.reject(new Error("thrown"));
  };
  await assertRejects(() => watchKernel(fake.kernel, note, throwing), Error, "thrown");
  assertEquals(notes.length, 2);
  assertEquals(notes[0], `the kernel reported: ${KASAN}`);
  assertStringIncludes(notes[1]!, "1 record at least overwritten");
  const none = await watchKernel(MODEL, note, () => Promise.resolve({ ok: true }));
  assertEquals(none, { ok: true, kernelLog: null });
});

Deno.test("every format shows what the kernel reported, and that nobody could look", () => {
  const reports = [[`${WARN} \u001b[31m`, "Modules linked in: <kvm>"]];
  const result = { ...RESULTS[1]!, reports };
  const report = reportOf([result]);
  const texts = [
    [...checkText(report)].join(""),
    [...checkKtap(report)].join(""),
    [...checkJunit(report, { when: new Date(0) })].join(""),
  ];
  assertStringIncludes(
    texts[0]!,
    `\n         kernel    ${WARN} \\u001b[31m\n         kernel    Modules`,
  );
  assertStringIncludes(texts[1]!, `\n  # enable.too-big: kernel ${WARN} \\u001b[31m\n`);
  assertStringIncludes(texts[2]!, "&#10;kernel    Modules linked in: &lt;kvm&gt;&#10;");
  const unread = { read: false, why: "open(/dev/kmsg): EPERM", lost: 0 };
  const blind = reportOf(RESULTS, { kernelLog: unread });
  const said = /the kernel's log is not looked at: open\(\/dev\/kmsg\): EPERM/;
  for (
    const lines of [checkText(blind), checkKtap(blind), checkJunit(blind, { when: new Date(0) })]
  ) assertMatch([...lines].join(""), said);
  assertMatch([...kernelLogText({ ...unread, reports: [] })].join(""), said);
  const lost = reportOf(RESULTS, { kernelLog: { ...LOG, lost: 3 } });
  assertMatch([...checkText(lost)].at(-1)!, /^the kernel's log: 3 records at least overwritten/);
  assertEquals([...kernelLogText(null)], []);
  assertEquals([...kernelLogText({ ...LOG, reports })].map((line) => line.trimEnd()), [
    "",
    "the kernel reported a problem:",
    `  ${WARN} \\u001b[31m`,
    "  Modules linked in: <kvm>",
  ]);
});
