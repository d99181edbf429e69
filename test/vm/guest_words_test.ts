// JSON from a machine. The kernel under test can send anything, but only what the program there
// could have sent is accepted.
import { assertEquals, assertThrows } from "@std/assert";
import { checkSaid } from "../../commands/check/check_machine.ts";
import { FrameError } from "../../vm/frames.ts";
import { unpack } from "../../vm/kernel_modules.ts";
import { reportOf, RESULTS } from "../support/check_results.ts";
import { Case, FACTS } from "../support/machine_case.ts";

const DAMAGED = "the serial line of the machine carried a damaged frame";

Deno.test("a frame that says something else than its kind does is damaged", async () => {
  const frames = [
    ...[null, 1, [], {}, { ...FACTS, release: 6 }, { ...FACTS, backend: "x" }].map((value) =>
      ["hello", value] as const
    ),
    ...[{ code: -1 }, { code: 256 }, { code: 1.5 }, { code: "1" }, { code: null }, {}, [], 7].map((
      value,
    ) => ["end", value] as const),
    ...[{}, { output: "/a" }, { output: "/a", below: 5 }, null].map((value) =>
      ["file", value] as const
    ),
    ...[{}, { refused: [{}], words: [], error: null }, { refused: [], words: [1], error: null }]
      .map((value) => ["problem", value] as const),
  ];
  for (const [kind, value] of frames) {
    const ran = new Case((guest) => {
      guest.tell(kind, value);
      guest.tell("end", { code: 0 });
    });
    await ran.fails(DAMAGED);
    assertEquals([ran.said, ran.files], [[], []]);
  }
});

Deno.test("a command that ended with a status that no command has did not end by itself", async () => {
  for (const code of [5, 137, 139, 255]) {
    const ran = new Case((guest) => {
      guest.tell("hello", FACTS);
      guest.tell("end", { code });
    });
    await ran.fails(`the command in it ended with status ${code}`);
  }
});

Deno.test("a command says on standard error why it failed, or its machine has failed", async () => {
  for (const code of [2, 3, 70]) {
    const silent = new Case((guest) => {
      guest.tell("hello", FACTS);
      guest.tell("stdout", "a result\n");
      guest.tell("end", { code });
    });
    await silent.fails(`the command in it ended with status ${code}, and did not say why`);
    const told = new Case((guest) => {
      guest.tell("hello", FACTS);
      guest.tell("stderr", "dirtyring: why\n");
      guest.tell("end", { code });
    });
    assertEquals(await told.run(), { code });
  }
});

Deno.test("of a check's result the plan is believed, and the machine what it found", () => {
  const [result] = RESULTS;
  const plan = [{ ...result!, statement: "what the plan knows" }];
  const said = JSON.stringify({ ...result, statement: "forged", group: "x", more: 1 });
  assertEquals(checkSaid(said, plan, []), { ...result!, statement: "what the plan knows" });
  const { checks: _, ...rest } = reportOf(RESULTS);
  assertEquals(checkSaid(JSON.stringify(rest), plan, rest.planned), rest);
});

Deno.test("a line that is no answer to what was asked is refused", () => {
  const [result] = RESULTS;
  const { checks: _, ...rest } = reportOf(RESULTS);
  const lines = [
    ...["", "no JSON", "null", "[]", "7", "{}"],
    ...[{ ...result, id: "another" }, { ...result, status: "fine" }, { ...result, ms: "1" }]
      .map((value) => JSON.stringify(value)),
    ...[{ ...result, reports: [1] }, { ...result, detail: {} }, { ...rest, schema: "x" }]
      .map((value) => JSON.stringify(value)),
    ...[{ ...rest, kernel: null }, { ...rest, summary: {} }, { ...rest, interrupted: "SIGSEGV" }]
      .map((value) => JSON.stringify(value)),
  ];
  for (const line of lines) {
    assertThrows(() => checkSaid(line, RESULTS, rest.planned), FrameError, "", line);
  }
});

Deno.test("no more of a file is unpacked than is wanted", async () => {
  const shell = (line: string) => unpack("sh", ["-c", line], 1000);
  const { bytes, code } = await shell("printf abc; exit 3");
  assertEquals([new TextDecoder().decode(bytes!), code], ["abc", 3]);
  assertEquals((await shell("yes")).bytes, null);
  assertEquals((await shell("head -c 1000 /dev/zero")).bytes?.length, 1000);
  assertEquals((await shell("head -c 1001 /dev/zero")).bytes, null);
  assertEquals(new TextDecoder().decode((await shell("echo no >&2")).stderr), "no\n");
});
