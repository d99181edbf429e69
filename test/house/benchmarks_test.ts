// docs/benchmarks.md opens with its conclusions, and what they say stands below.
import { assert, assertEquals } from "@std/assert";
import { readPage } from "../support/documents.ts";

const FIGURE = /\d[\d.,]* (?:ns|µs|ms|%|×)/g;

/** The figures of a page's first list, and those of them that do not stand below it. */
function figures(text: string): { readonly all: string[]; readonly missing: string[] } {
  const [list] = /^(?:- .*\n(?: {2}.*\n)*)+/m.exec(text)!;
  const below = text.slice(text.indexOf(list) + list.length).replace(/\s+/g, " ");
  const all = list.replace(/\s+/g, " ").match(FIGURE) ?? [];
  const stands = (figure: string) =>
    new RegExp(`(?<![\\d.,])${figure.replaceAll(".", "\\.")}`).test(below);
  return { all, missing: all.filter((figure) => !stands(figure)) };
}

Deno.test("docs/benchmarks.md opens with conclusions whose figures stand below", async () => {
  const { text } = await readPage("docs/benchmarks.md");
  assert(text.indexOf("\n- ") < text.indexOf("\n## "), "the list comes first");
  const { all, missing } = figures(text);
  assert(all.length > 15);
  assertEquals(missing, []);
});

Deno.test("a conclusion whose figure does not stand below is noticed", () => {
  const text = "# A\n\n- 5 ns, and 12.5\n  ms\n- 2.4 ×\n\nSome 15 ns, 12.5 ms and 214 ×.\n";
  assertEquals(figures(text), { all: ["5 ns", "12.5 ms", "2.4 ×"], missing: ["5 ns", "2.4 ×"] });
});
