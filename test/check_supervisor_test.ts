// Checks that hang, throw, or end their process: each fails alone, is named, and the rest go on.
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type PlannedCheck, supervise, type Supervision } from "../checks/supervisor.ts";
import { HostError } from "../ffi/host_error.ts";
import { liveTest } from "./support/live.ts";

// Checks of test/support/misbehaving_child.ts.
function plan(...names: string[]): PlannedCheck[] {
  return names.map((id) => ({ id, group: "full", statement: "s", source: "x" }));
}

function supervision(changes: Partial<Supervision> = {}): Supervision {
  return {
    module: new URL("support/misbehaving_child.ts", import.meta.url),
    args: [],
    isTraced: false,
    timeoutMs: 20_000,
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
  assertEquals(found.map(({ status }) => status), ["fail", "pass", "fail", "pass"]);
  assertEquals(found[0]!.detail, "did not end within 300 ms");
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
  const args = ["--does-not-begin"];
  await assertRejects(() => outcomes(["pass"], { args }), HostError, "this child does not begin");
  assertEquals(await children(), []);
});

liveTest("a check that hangs in KVM_RUN is ended after its time, and the rest go on", async () => {
  const found = await outcomes(["hangs-in-kvm-run", "pass"], { timeoutMs: 1000 });
  assertEquals(found.map(({ status }) => status), ["fail", "pass"]);
  assertEquals(found[0]!.detail, "did not end within 1 s");
  assertEquals(await children(), []);
});
