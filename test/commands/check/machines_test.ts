// `check` on a kernel in machines: checks that may harm the kernel run in a machine of their own,
// and an interrupt ends all machines.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Lanes } from "../../../cli/compare_machines.ts";
import { checkMachine } from "../../../commands/check/check_machine.ts";
import { checkResultNdjson } from "../../../commands/check/check_ndjson.ts";
import { reportStatus } from "../../../commands/check/command.ts";
import type { CheckResult } from "../../../conformance/kit/check.ts";
import type { CheckReport } from "../../../conformance/runner/check_report.ts";
import type { PlannedCheck } from "../../../conformance/runner/supervisor.ts";
import type { InterruptSignal } from "../../../host/interrupt.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import type { GuestRequest } from "../../../vm/guest_request.ts";
import type { MachineContent } from "../../../vm/initramfs.ts";
import type { PreparedMachine } from "../../../vm/prepare.ts";
import { OUT_OF_TIME, reportOf, RESULTS } from "../../support/check_results.ts";
import { fakeEmulator, type FakeGuest } from "../../support/fake_emulator.ts";
import { FACTS, SETTINGS } from "../../support/machine_case.ts";

const [PASS, , SECOND] = RESULTS as [CheckResult, CheckResult, CheckResult];
/** A check that a machine of its own is to make. */
const HARMFUL: CheckResult = {
  ...OUT_OF_TIME,
  id: "full.overflow",
  status: "skip",
  withheld: "allow-warn",
};
const WORSE: CheckResult = { ...HARMFUL, id: "slot.wraparound", withheld: "allow-harm" };

/** What `check --format ndjson` prints in a machine. */
function printed(checks: readonly CheckResult[], report: Partial<CheckReport> = {}): string {
  const { checks: _, ...rest } = reportOf(checks, report);
  return [
    ...checks.flatMap((check) => [...checkResultNdjson(check, PLAIN_PAGE)]),
    `${JSON.stringify(rest)}\n`,
  ]
    .join("");
}

/** Asks machines that play: what they came to, and what each was asked. */
async function asked(
  plan: readonly CheckResult[],
  lanes: number,
  play: (guest: FakeGuest, request: GuestRequest) => Promise<void> | void,
  interrupt: { signal: InterruptSignal | null } = { signal: null },
) {
  const requests: string[][] = [];
  const seen: string[] = [];
  const contents: MachineContent[] = [];
  const emulator = fakeEmulator(async (guest) => {
    const { request } = contents[Number(guest.boot.initrd.path)]!;
    requests.push([...request.args]);
    await play(guest, request);
  });
  const prepared: PreparedMachine = {
    kernel: { image: { path: "bzImage", release: "6.12.1" }, modules: null },
    settings: SETTINGS,
    emulator,
    modules: [],
    initrd: (content) =>
      Promise.resolve({
        path: `${contents.push(content) - 1}`,
        size: 0,
        [Symbol.dispose]: () => {},
      }),
  };
  const args = ["check", "--only=x.*", "--bisect", "--format=ktap", "--repeat=2"];
  // What is planned is counted by group alone.
  const question = {
    plan: plan as readonly CheckResult[] as readonly PlannedCheck[],
    args,
    interrupt,
    host: { commandLine: ["dirtyring"], commit: null },
    lanes: new Lanes(lanes),
    running: new Set<never>(),
  };
  const answer = await checkMachine(prepared, question, {
    booted: ({ release }) => void seen.push(`booted ${release}`),
    result: ({ id, status }) => seen.push(`${id} ${status}`) > 0,
    say: (line) => void seen.push(line),
  });
  assertEquals(question.running.size, 0);
  return { ...answer, requests, seen };
}

const isFirst = ({ args }: GuestRequest) => !args.includes("full.overflow");

Deno.test("what was withheld is asked in a machine of its own, and answered in its place", async () => {
  const { report, status, requests, seen } = await asked(
    [PASS, HARMFUL, SECOND],
    2,
    (guest, request) => {
      guest.tell("hello", FACTS);
      if (isFirst(request)) guest.send("stdout", printed([PASS, HARMFUL, SECOND]));
      else guest.send("stdout", printed([{ ...HARMFUL, status: "pass", withheld: null }]));
      guest.send("stderr", "dirtyring: a note\n");
      guest.tell("end", { code: 0 });
    },
  );
  assertEquals(seen.filter((line) => !line.includes("note")), [
    ...["booted 6.12.1", "cap.max-bytes pass", "full.overflow pass", "mmap.exec pass"],
  ]);
  assertEquals(requests, [
    ["check", "--only=x.*", "--repeat=2", "--times", "--format", "ndjson", "--allow-harm"],
    [
      ...["check", "--repeat=2", "--times", "--format", "ndjson", "--only", "full.overflow"],
      "--allow-warn",
    ],
  ]);
  assertEquals([status, report!.complete, report!.summary.pass], [0, true, 3]);
  assertEquals(report!.checks.map(({ id }) => id), ["cap.max-bytes", "full.overflow", "mmap.exec"]);
});

Deno.test("a machine that a check costs fails that check, with the end of its console", async () => {
  const { report, failure } = await asked([HARMFUL, PASS], 1, (guest, request) => {
    guest.tell("hello", FACTS);
    if (isFirst(request)) {
      guest.send("stdout", printed([HARMFUL, PASS]));
      return guest.tell("end", { code: 0 });
    }
    guest.say("[    9.1] Kernel panic - not syncing: stack-protector");
    guest.exit(0);
  });
  const [first] = report!.checks;
  assertEquals([failure, first!.status, first!.withheld], [null, "fail", null]);
  assertStringIncludes(first!.detail!, "bzImage: the kernel panicked: stack-protector");
  assertEquals(first!.reports, [["[    9.1] Kernel panic - not syncing: stack-protector"]]);
  assertEquals(reportStatus(report!), 1);
});

// What could harm a kernel is the last that its machine makes.
const HARMS = { ...PASS, id: "slot.wraparound", harms: true } as const;

Deno.test("what could harm a kernel comes last there, and out in its place", async () => {
  const { report, requests, seen } = await asked([PASS, HARMS, SECOND], 1, (guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", printed([PASS, SECOND, HARMS]));
    guest.tell("end", { code: 0 });
  });
  assertEquals(requests.length, 1);
  assertEquals(seen, [
    ...["booted 6.12.1", "cap.max-bytes pass", "slot.wraparound pass", "mmap.exec pass"],
  ]);
  assertEquals(report!.complete, true);
});

Deno.test("a machine that it costs fails it alone", async () => {
  const { report, failure, seen } = await asked([PASS, HARMS, SECOND], 1, (guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", printed([PASS, SECOND]).split("\n").slice(0, 2).join("\n") + "\n");
    guest.say("[    9.1] Kernel panic - not syncing: Fatal exception");
    guest.exit(0);
  });
  assertEquals([failure, report!.complete, reportStatus(report!)], [null, true, 1]);
  assertEquals(seen, [
    ...["booted 6.12.1", "cap.max-bytes pass", "slot.wraparound fail", "mmap.exec pass"],
  ]);
});

Deno.test("a machine that fails has told what it had until then", async () => {
  const { report, status, failure } = await asked([PASS, SECOND], 1, (guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", printed([PASS]).split("\n")[0] + "\n");
    guest.say("[    9.0] dirtyring: mmap.exec");
    guest.exit(0);
  });
  assertEquals([status, report!.complete, report!.checks], [125, false, [PASS]]);
  assertStringIncludes(failure!.message, "the machine stopped; mmap.exec was running");
});

Deno.test("a command that says why it has no result has none here", async () => {
  const { report, status, failure, seen } = await asked([PASS], 1, (guest) => {
    guest.tell("hello", FACTS);
    guest.send("stderr", "dirtyring: no dirty ring");
    guest.tell("end", { code: 4 });
  });
  assertEquals([report, status, failure, seen], [
    ...[null, 4, null, ["booted 6.12.1", "dirtyring: no dirty ring"]],
  ]);
});

Deno.test("after an interrupt no other machine is started, and the report is one that was interrupted", async () => {
  for (const guestSawIt of [true, false]) {
    const interrupt: { signal: InterruptSignal | null } = { signal: null };
    const { report, requests, seen } = await asked([HARMFUL, WORSE, PASS], 1, (guest) => {
      guest.tell("hello", FACTS);
      interrupt.signal = "SIGTERM";
      guest.send(
        "stdout",
        printed([HARMFUL, WORSE, PASS], guestSawIt ? { interrupted: "SIGTERM" } : {}),
      );
      guest.tell("end", { code: 0 });
    }, interrupt);
    assertEquals([requests.length, seen], [1, ["booted 6.12.1", "cap.max-bytes pass"]]);
    assertEquals([report!.complete, report!.interrupted], [false, "SIGTERM"]);
    assertEquals(reportStatus(report!), 143);
  }
  assert(HARMFUL.withheld !== null && WORSE.withheld !== null);
});
