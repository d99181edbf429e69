// Checks that hang, throw, or end their process: each fails alone, is named, and the rest go on.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { givenLimit, limitText, type TimeLimit } from "../../conformance/runner/check_report.ts";
import { noteSteps, StepBoard } from "../../conformance/runner/step_board.ts";
import {
  type PlannedCheck,
  supervise,
  type Supervision,
} from "../../conformance/runner/supervisor.ts";
import { HostError, KernelError } from "../../ffi/errors.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest } from "../support/live.ts";

// Checks of test/support/misbehaving_child.ts.
function plan(...names: string[]): PlannedCheck[] {
  return names.map((id) => ({ id, group: "full", statement: "s", source: "x" }));
}

function supervision(changes: Partial<Supervision> = {}): Supervision {
  return {
    module: new URL("../support/misbehaving_child.ts", import.meta.url),
    args: [],
    isTraced: false,
    timeoutMs: 20_000,
    board: null,
    log: { take: () => [] },
    repeat: 1,
    abort: new AbortController().signal,
    ...changes,
  };
}

async function outcomes(names: string[], changes: Partial<Supervision> = {}) {
  const found: { id: string; status: string; detail: string | null }[] = [];
  for await (const { id, status, detail } of supervise(plan(...names), supervision(changes))) {
    found.push({ id, status, detail });
  }
  return found;
}

/** Processes that were started by this one and are still there, as Linux lists them. */
async function children(): Promise<string[]> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "pid=,args=", "--ppid", `${Deno.pid}`],
  }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  return lines.filter((line) => line.includes("misbehaving_child"));
}

Deno.test("supervise() hands on what checks come to, from one process", async () => {
  const found = await outcomes(["pass", "fail", "prints", "skip", "known", "again.pass"]);
  assertEquals(found.map(({ status }) => status), [
    ...["pass", "fail", "pass", "skip", "known", "pass"],
  ]);
  assertMatch(found[0]!.detail!, /^process \d+$/);
  assertEquals([found[2]!.detail, found[5]!.detail], [found[0]!.detail, found[0]!.detail]);
  assertEquals(await children(), []);
});

Deno.test("a check that ends its process fails alone, is named, and the rest go on", async () => {
  const bad = ["exits", "exits-7", "killed-9", "segfaults", "throws", "throws-later"];
  const found = await outcomes([...bad.flatMap((one) => [one, `after-${one}.pass`])]);
  const failed = found.filter(({ status }) => status === "fail");
  assertEquals(failed.map(({ id }) => id), bad);
  assertEquals(failed.slice(0, 4).map(({ detail }) => detail), [
    "ended its process: exit status 0",
    "ended its process: exit status 7",
    "ended its process: SIGKILL",
    "ended its process: SIGSEGV",
  ]);
  assertMatch(failed[4]!.detail!, /exit status 1: error: Uncaught .*thrown by a check/);
  assertMatch(failed[5]!.detail!, /exit status 1: error: Uncaught .*thrown after a while/);
  const passed = found.filter(({ status }) => status === "pass").map(({ detail }) => detail);
  assertEquals([passed.length, new Set(passed).size], [bad.length, bad.length]);
  assertEquals(await children(), []);
});

Deno.test("a check that hangs, busy or waiting, is ended after its time, and the rest go on", async () => {
  const names = ["hangs-busy", "pass", "hangs-waiting", "last.pass"];
  const found = await outcomes(names, { timeoutMs: 300 });
  assertEquals(found.map(({ status }) => status), ["timeout", "pass", "timeout", "pass"]);
  const detail = "did not end within 300 ms; timeout TIME sets another limit";
  assertEquals([found[0]!.detail, found[2]!.detail], [detail, detail]);
  assertEquals(await children(), []);
});

/** As outcomes(), with a board that the child notes its steps on. */
async function boardedOutcomes(names: string[]) {
  using board = StepBoard.create(LIBC);
  const args = [`--steps=${board!.path}`];
  return await outcomes(names, { timeoutMs: 1000, board, args });
}

Deno.test("a check that is out of time tells what it waited for", async () => {
  const found = await boardedOutcomes(["hangs-in-ioctl", "hangs-between", "hangs-busy", "pass"]);
  const statuses = found.map(({ status }) => status);
  assertEquals(statuses, ["timeout", "timeout", "timeout", "pass"]);
  const [within, between, before] = found.map(({ detail }) => detail!);
  assertMatch(
    within!,
    /^did not end within 1 s: in KVM_RUN for \d\.\d s, ioctl\(\) 1; timeout/,
  );
  assertStringIncludes(
    between!,
    ": between ioctl() calls, KVM_RESET_DIRTY_RINGS the last of 2; timeout",
  );
  assertStringIncludes(before!, ": before its first ioctl(); timeout");
});

Deno.test("a board that cannot be reached, or made, costs nothing but its words", () => {
  assertEquals(noteSteps(LIBC, "/proc/1/fd/none")(LIBC), LIBC);
  assertEquals(StepBoard.create({ ...LIBC, backend: "model" }), null);
  assertEquals(StepBoard.create({ ...LIBC, open: () => -1 }), null);
});

Deno.test("a board needs no permission but FFI", async () => {
  const module = (file: string) =>
    JSON.stringify(new URL(file, new URL("../..", import.meta.url)).href);
  const program = `import { openLibc } from ${module("ffi/libc.ts")};
    import { StepBoard } from ${module("conformance/runner/step_board.ts")};
    using board = StepBoard.create(openLibc());
    console.log(board?.step.calls);`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--allow-ffi", file],
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals([text(stdout), text(stderr)], ["0\n", ""]);
  } finally {
    await Deno.remove(file);
  }
});

// The limit that supervise() tells of, and what the check came to.
async function limitWith(pace: string, timeoutMs: number | null = null) {
  let limit: TimeLimit | undefined;
  const told = (one: TimeLimit) => limit = one;
  const [first] = await outcomes(["pass"], { timeoutMs, args: [pace], told });
  return [first?.status, limit];
}

Deno.test("the default limit grows with how slow the host is measured to be", async () => {
  const slow = { ms: 12_000, given: false, slowness: 1.2 };
  assertEquals(await limitWith("slow"), ["pass", slow]);
  assertEquals(limitText(slow), "12 s (10 s × 1.2 for this host's speed)");
  // One that is asked for is taken as it is, and nothing is measured.
  assertEquals(await limitWith("hangs", 1500), ["pass", givenLimit(1500)]);
});

Deno.test("a host that cannot be measured gets the usual limit, and the checks are made", async () => {
  const usual = { ms: 10_000, given: false, slowness: null };
  for (const pace of ["throws", "exits"]) assertEquals(await limitWith(pace), ["pass", usual]);
  assertEquals(limitText(usual), "10 s (this host's speed could not be measured)");
  await assertRejects(() => limitWith("unusable"), HostError, "no such host; get another");
  assertEquals(await children(), []);
});

Deno.test("measuring a host that hangs is given up, and called off", async () => {
  const found = await outcomes(["pass"], { timeoutMs: null, args: ["hangs"], paceMs: 200 });
  assertEquals(found.map(({ status }) => status), ["pass"]);
  const abort = AbortSignal.timeout(500);
  assertEquals(await outcomes(["pass"], { timeoutMs: null, args: ["hangs"], abort }), []);
  assertEquals(await children(), []);
});

Deno.test("a check that is made often fails where one run fails", async () => {
  const [pass, second, dead] = await outcomes(["pass", "every-second", "exits"], { repeat: 3 });
  assertMatch(pass!.detail!, /^passed in 3 of 3 runs: process \d+$/);
  assertEquals([second!.status, second!.detail], ["fail", "failed in 1 of 3 runs: odd"]);
  assertEquals(dead!.detail, "failed in 3 of 3 runs: ended its process: exit status 0");
});

Deno.test("calling it off ends the child at once, and the check that it made has not failed", async () => {
  for (const hanging of ["hangs-busy", "hangs-waiting"]) {
    const controller = new AbortController();
    const found = [];
    const made = supervise(
      plan("pass", hanging, "never"),
      supervision({ abort: controller.signal }),
    );
    for await (const { id } of made) {
      found.push(id);
      setTimeout(() => controller.abort(), 100);
    }
    assertEquals(found, ["pass"]);
    assertEquals(await children(), []);
  }
});

Deno.test("a child that the interrupt reaches before its parent has not failed", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 500);
  assertEquals(await outcomes(["killed-term"], { abort: controller.signal }), []);
  const [alone] = await outcomes(["killed-term"]);
  assertEquals([alone!.status, alone!.detail], ["fail", "ended its process: SIGTERM"]);
});

Deno.test("who has seen enough leaves no child", async () => {
  for await (const { status } of supervise(plan("pass", "hangs-busy"), supervision())) {
    assertEquals(status, "pass");
    break;
  }
  assertEquals(await children(), []);
});

Deno.test("a host that cannot be used at all, or a child that does not begin, is a HostError", async () => {
  await assertRejects(() => outcomes(["pass", "unusable"]), HostError, "no such host; get another");
  await assertRejects(() => outcomes(["exhausted"]), KernelError, "KVM_CREATE_VM: EMFILE");
  const args = ["--does-not-begin"];
  await assertRejects(() => outcomes(["pass"], { args }), HostError, "this child does not begin");
  assertEquals(await children(), []);
});

Deno.test("a failed check stands, where after it no child begins any more", async () => {
  for (const repeat of [1, 2]) {
    const found: [string, string][] = [];
    let isBroken = false;
    const name = () => isBroken ? "no_such_child" : "misbehaving_child";
    const broken: Supervision = {
      ...supervision({ repeat, log: { take: () => [] } }),
      get module() {
        return new URL(`${name()}.ts`, new URL("./../support/", import.meta.url));
      },
      began: (id) => void (isBroken ||= id === "killed-9"),
    };
    let why: string | null = null;
    for await (
      const { id, status, detail } of supervise(plan("pass", "killed-9", "skip"), broken)
    ) {
      found.push([id, status]);
      why = detail;
    }
    // What was made of a check that failed is told; one that could not be made says why, and is the last.
    assertEquals(found, [
      ...[["pass", "pass"], ["killed-9", "fail"]] satisfies [string, string][],
      ...(repeat === 1 ? [["skip", "skip"]] satisfies [string, string][] : []),
    ]);
    assertStringIncludes(why!, repeat === 1 ? "no_such_child.ts" : "SIGKILL");
    assertEquals(await children(), []);
  }
});

liveTest("a check that hangs in KVM_RUN is ended after its time, and the rest go on", async () => {
  using board = StepBoard.create(LIBC);
  const args = [`--steps=${board!.path}`];
  // A slow host takes its time to get there.
  for (let timeoutMs = 1000;; timeoutMs *= 2) {
    const found = await outcomes(["hangs-in-kvm-run", "pass"], { timeoutMs, board, args });
    assertEquals(found.map(({ status }) => status), ["timeout", "pass"]);
    const detail = found[0]!.detail!;
    if (/: in KVM_RUN for \d+\.\d s, ioctl\(\) \d+; /.test(detail)) break;
    assert(timeoutMs < 60_000, detail);
  }
  assertEquals(await children(), []);
});
