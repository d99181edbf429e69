// The README: short, complete, and true.
import { assert, assertEquals } from "@std/assert";
import { COMMAND_NAMES } from "../../commands/registry.ts";
import { EXIT } from "../../host/errors.ts";
import { commandLinesOf, linksOf, readPage } from "../support/documents.ts";
import { ROOT } from "../support/sources.ts";

const README = (await readPage("README.md")).text;

function section(heading: string): string {
  return README.split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!;
}

Deno.test("README has at most 150 lines", () => {
  assert(README.trimEnd().split("\n").length <= 150);
});

Deno.test("README says which command does what, for each that there is", () => {
  const named = commandLinesOf(section("Which command do I want?")).map(([name]) => name!);
  assertEquals(COMMAND_NAMES.filter((name) => !named.includes(name)), []);
});

Deno.test("README lists the exit statuses that there are", () => {
  const listed = [...section("Exit statuses").matchAll(/^\| (\d[\d, ]*) \|/gm)]
    .flatMap(([, numbers]) => numbers!.split(", ").map(Number));
  const up = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);
  assertEquals(up(listed), up(Object.values(EXIT)));
});

Deno.test("README's picture is one that GitHub shows, in light and in dark", async () => {
  const [picture] = linksOf(README).filter((link) => link.endsWith(".svg"));
  const text = await Deno.readTextFile(new URL(picture!, ROOT));
  assert(text.startsWith("<svg ") && text.includes("@media (prefers-color-scheme: dark)"));
  // What GitHub's policy keeps out of a picture.
  assertEquals(text.match(/<script|<image|<foreignObject|@import|url\((?!#)/g), null);
});
