// Where a result goes, and in which format.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type Asked, outputOption, places } from "../../cli/output_places.ts";
import { UsageError } from "../../host/errors.ts";
import { dirtyring } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";

function asked(outputs: readonly string[], format?: string): Asked {
  return {
    outputs: outputs.flatMap((text) => outputOption.parse(text)),
    format: format ?? "text",
    isFormatGiven: format !== undefined,
    command: "check",
    formats: ["text", "ktap", "junit", "json", "ndjson"],
  };
}

const formatsOf = (outputs: readonly string[], format?: string) =>
  places(asked(outputs, format)).map((place) => place.format);

Deno.test("a format comes from the output itself, from --format, or from the ending", () => {
  const files = ["a.ktap", "b.XML", "json:c.xml", "d", "e.ndjson", "-"];
  assertEquals(formatsOf(files), ["ktap", "junit", "json", "text", "ndjson", "text"]);
  assertEquals(formatsOf(files, "json"), ["json", "json", "json", "json", "json", "json"]);
  assertEquals(places(asked([])), [{ format: "text", path: "-" }]);
  assertEquals(places(asked(["./x:y.json"])), [{ format: "json", path: "./x:y.json" }]);
});

Deno.test("a format that the command does not have, and a file that is named twice, are refused", () => {
  const refused = (outputs: readonly string[], expected: string) => {
    const { message } = assertThrows(() => places(asked(outputs)), UsageError);
    assertStringIncludes(message, expected);
  };
  refused(["csv:a"], "--output csv:a: check writes no csv; expected text, ktap, junit, json");
  refused(["a.md"], "--output a.md: check writes no markdown; expected text, ktap");
  refused(["a.md"], "text:FILE");
  refused(["a.json", "text:a.json"], "--output a.json: is given twice");
  assertThrows(() => outputOption.parse("json:"), SyntaxError, "FORMAT:FILE");
  assertThrows(() => outputOption.parse("ktapp:x"), SyntaxError, "or ./ktapp:x for a file of");
});

Deno.test("one run writes several files and standard output, all the same result", async () => {
  await using folder = await Folder.make();
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.writeTextFile(at("a.ktap"), "what stood there before\n");
  const { code, stdout, stderr } = await dirtyring([
    ...["check", "--backend", "model", "--only", "enable.*", "--no-times"],
    ...["--output", at("a.ktap"), "--output", `junit:${at("b")}`, "--output", at("c.json")],
    ...["--output", `ndjson:${at("d")}`, "--output", "-"],
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "13 checks: 13 passed");
  assertStringIncludes(stdout, "enable.u32");
  const ktap = await Deno.readTextFile(at("a.ktap"));
  assert(ktap.startsWith("KTAP version 1\n"));
  assertStringIncludes(await Deno.readTextFile(at("b")), "<testsuite");
  const json = JSON.parse(await Deno.readTextFile(at("c.json")));
  const lines = (await Deno.readTextFile(at("d"))).trimEnd().split("\n").map((l) => JSON.parse(l));
  assertEquals(lines.slice(0, -1), json.checks);
  assertEquals(lines.at(-1).summary, json.summary);
  assertEquals([json.provenance.time, json.checks[0].ms], [null, null]);
});

Deno.test("the same run gives the same JSON, byte for byte, without provenance and times", async () => {
  const line = ["run", "--backend", "model", "--pages", "300", "--format", "json"];
  const plain = ["--no-times", "--no-provenance"];
  const first = await dirtyring([...line, ...plain]);
  const second = await dirtyring([...line, ...plain]);
  // How many rounds a reset was measured over depends on how fast they were.
  const same = (text: string) => text.replace(/"repetitions": \d+/, "");
  assertEquals(same(first.stdout), same(second.stdout));
  assert(!first.stdout.includes("provenance") && /"resetNs": null/.test(first.stdout));
  const timed = JSON.parse((await dirtyring([...line, "--times"])).stdout);
  assert(timed.rounds[0].resetNs > 0 && timed.provenance.time.durationNs > 0);
  assertEquals(timed.provenance.commandLine, ["dirtyring", ...line, "--times"]);
});
