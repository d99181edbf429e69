// What did not hold is followed by how to see it again.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { defineCommand, now } from "../../cli/command.ts";
import type { Context } from "../../cli/context.ts";
import { checkAgainText } from "../../commands/check/check_again.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { againText, shellLine } from "../../report/again.ts";
import { PLAIN_PAGE } from "../../report/page.ts";

const EVENTS = "-e kvm:kvm_dirty_ring_reset -e kvm:kvm_dirty_ring_exit";

Deno.test("a shell takes the line as it was", async () => {
  const words = ["dirtyring", "a b", "it's", "$x", "*", "", "--only=reset.*", 'say "x"'];
  const script = `set -- ${shellLine(words)}; for word; do printf '%s\\n' "$word"; done`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  assertEquals(new TextDecoder().decode(stdout).split("\n"), [...words, ""]);
});

Deno.test("a word with a line end forges no line, and bash takes it as it was", async () => {
  const words = ["dirtyring", "--pattern=file:a\nok: it's \\ \u001b[2J", "\u202e"];
  const line = shellLine(words);
  assertEquals(line, "dirtyring $'--pattern=file:a\\nok: it\\'s \\\\ \\u001b[2J' $'\\u202e'");
  const script = `set -- ${line}; printf '%s\\0' "$@"`;
  const env = { LC_ALL: "C.UTF-8" };
  const { stdout } = await new Deno.Command("bash", { args: ["-c", script], env }).output();
  assertEquals(new TextDecoder().decode(stdout).split("\0"), [...words, ""]);
});

Deno.test("a page is traced by its slot and offset, and nothing on a model", () => {
  const commandLine = ["dirtyring", "run", "--seed", "7"];
  const page = { slot: 2, offset: 33 };
  const [again, command, script] = [...againText({ commandLine, isTraceable: true, page })];
  assertEquals(again, "again:     dirtyring run --seed 7\n");
  assertEquals(
    command,
    "trace-cmd: trace-cmd record -e kvm:kvm_dirty_ring_push -f 'slot == 2 && offset == 33' " +
      `${EVENTS} dirtyring run --seed 7\n`,
  );
  assertStringIncludes(script!, "tracepoint:kvm:kvm_dirty_ring_push /args->slot == 2 && args->o");
  assertStringIncludes(script!, "-c 'dirtyring run --seed 7'");
  assertEquals([...againText({ commandLine, isTraceable: false })].length, 1);
});

function report(commandLine: readonly string[], statuses: Record<string, string>): string[] {
  const result = {
    kernel: { backend: commandLine.includes("model") ? "model" : "kvm" },
    strict: false,
    checks: Object.entries(statuses).map(([id, status]) => ({ id, status, defect: false })),
  } as unknown as CheckReport; // as far as it is looked at
  return [...checkAgainText(result, { ...PLAIN_PAGE, commandLine })];
}

Deno.test("failed checks are asked again as they were, and alone", () => {
  const failing = { "a.b": "fail", "c.d": "pass", "e.f": "timeout", "g.h": "known" };
  const [first, ...rest] = report(
    ["dirtyring", "check", "--seed", "3", "--only=*.*", "--repeat", "2", "--allow-warn"],
    failing,
  );
  assertEquals(first, "again:     dirtyring check --repeat 2 --allow-warn --only a.b,e.f\n");
  assertEquals(rest.length, 2);
  const model = ["dirtyring", "check", "--backend", "model", "--model=v6.1", "--format=text"];
  assertEquals(report(model, failing), [
    "again:     dirtyring check --backend model --model=v6.1 --only a.b,e.f\n",
  ]);
  const machine = ["dirtyring", "check", "--kernel", "bzImage", "--output", "x"];
  assertEquals(report(machine, failing), [
    "again:     dirtyring check --kernel bzImage --only a.b,e.f\n",
  ]);
  assertEquals(report(machine, { "a.b": "pass", "g.h": "known" }), []);
});

Deno.test("a text that names lost pages ends with how to see that again, JSON does not", async () => {
  const lost = (count: number) => ({
    kernel: { backend: "kvm" },
    lost: { count, pages: [{ slot: 1, offset: 5 }] },
  });
  const outputOf = async (count: number, format: string) => {
    const command = defineCommand({
      name: "x",
      summary: "",
      details: "",
      options: {},
      examples: [],
      formats: { text: now(() => ["the result\n"]), json: now(() => ["{}\n"]) },
      run: () => Promise.resolve(lost(count)),
      status: () => 1,
    });
    const context = {
      given: new Set<string>(),
      page: { ...PLAIN_PAGE, commandLine: ["dirtyring", "x"] },
      terminal: null,
      provenance: () => Promise.resolve(null),
    } as unknown as Context; // as far as it is used
    const { output } = await command.execute({ format }, context);
    return [...output].join("");
  };
  const shown = await outputOf(2, "text");
  assertEquals(shown.split("\n").slice(0, 2), ["the result", "again:     dirtyring x"]);
  assertStringIncludes(shown, "slot == 1 && offset == 5");
  assertEquals(await outputOf(0, "text"), "the result\n");
  assertEquals(await outputOf(2, "json"), "{}\n");
});
