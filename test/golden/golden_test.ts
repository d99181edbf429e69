// Command lines on the model print the same as when their outputs were recorded, to the letter: no
// time of this host is in them. So a refactoring cannot change an output unnoticed. After an
// intended change: deno run -A test/golden/keep.ts
import { assertEquals } from "@std/assert";
import { type Golden, goldenLines, runLines } from "./run_line.ts";

Deno.test("command lines on the model print what they did", async () => {
  const kept: Golden[] = (await Deno.readTextFile(new URL("kept.jsonl", import.meta.url)))
    .trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(kept.map(({ line }) => line), await goldenLines());
  const now = await runLines();
  for (const [n, one] of kept.entries()) assertEquals(now[n], one);
});
