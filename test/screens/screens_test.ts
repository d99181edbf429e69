// The screens of every command are as they were when they were looked at. After a change that is
// meant, keep them anew and look at what differs: deno run -A test/screens/keep.ts [NAME ...]
import { assertEquals } from "@std/assert";
import { COMMAND_NAMES } from "../../commands/registry.ts";
import { CASES } from "./cases.ts";
import { screens } from "./screens.ts";

for (const screen of Object.keys(CASES)) {
  // A command binds what it needs of libc, for good.
  const name = `the screens of ${screen}: no line is torn, and colour says nothing alone`;
  Deno.test({ name, sanitizeResources: false }, async () => {
    for await (const { kept, torn, different } of screens([screen])) {
      assertEquals(torn, []);
      assertEquals(different, []);
      assertEquals(
        kept,
        await Deno.readTextFile(new URL(`${screen}.txt`, import.meta.url)),
        "deno run -A test/screens/keep.ts keeps them anew",
      );
    }
  });
}

Deno.test("every command has screens", () => {
  const shown = Object.entries(CASES).flatMap(([name, one]) => [
    name.split("-")[0],
    ...("lines" in one ? one.lines.map((line) => line.replace(/^! /, "").split(" ")[0]) : []),
  ]);
  assertEquals(COMMAND_NAMES.filter((name) => !shown.includes(name)), []);
});
