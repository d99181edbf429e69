// One table of exit statuses: README's is that of help, and it names what the program ends with.
import { assert, assertEquals } from "@std/assert";
import { bisectStatus } from "../../../cli/global_options.ts";
import { BISECT_STATUSES, STATUSES } from "../../../cli/topics/statuses.ts";
import { EXIT } from "../../../host/errors.ts";

const README = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));

// The rows of README's table, without the marks of code.
function rowsOf(readme: string): string[][] {
  const section = readme.split(/^## Exit statuses$/m)[1]?.split(/^## /m)[0] ?? "";
  const rows = [...section.matchAll(/^\| (\d[\d, ]*) \| (.+) \|$/gm)];
  return rows.map(([, numbers, meaning]) => [numbers!, meaning!.replaceAll("`", "")]);
}

const TABLE = STATUSES.map(({ numbers, meaning }) => [numbers.join(", "), meaning]);

Deno.test("README has the table of exit statuses that help prints", () => {
  assertEquals(rowsOf(README), TABLE);
});

Deno.test("a row of README that says something else would be noticed", () => {
  for (
    const [was, now] of [["| 2 | the command line", "| 2 | a command line"], ["| 141 |", "| 142 |"]]
  ) {
    const changed = README.replace(was!, now!);
    assert(changed !== README);
    assert(JSON.stringify(rowsOf(changed)) !== JSON.stringify(TABLE));
  }
});

Deno.test("the table has each status that the program knows, once", () => {
  const numbers = STATUSES.flatMap(({ numbers }) => numbers);
  assertEquals(
    numbers.toSorted((a, b) => a - b),
    Object.values(EXIT).toSorted((a, b) => a - b),
  );
});

Deno.test("the statuses for git bisect are those that the program makes of its own", () => {
  const documented = BISECT_STATUSES.flatMap(([numbers]) => numbers.split(", ").map(Number));
  const made = Object.values(EXIT).map(bisectStatus);
  assertEquals(new Set(documented), new Set(made));
});
