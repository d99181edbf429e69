// The pages of documentation hang together: what a link names is there, and every page can be found.
import { assert, assertEquals } from "@std/assert";
import { allPages, anchorsOf, linksOf, type Page, readPage } from "../support/documents.ts";
import { ROOT } from "../support/sources.ts";

/** The links of a page that lead nowhere. */
async function brokenLinks({ path, text }: Page): Promise<string[]> {
  const here = new URL(path, ROOT);
  const broken: string[] = [];
  for (const link of linksOf(text)) {
    const target = new URL(link, here);
    const anchor = decodeURIComponent(target.hash.slice(1));
    target.hash = "";
    const isThere = await Deno.stat(target).then(() => true, () => false);
    const finds = isThere &&
      (anchor === "" || anchorsOf(await Deno.readTextFile(target)).has(anchor));
    if (!finds) broken.push(`${path}: ${link}`);
  }
  return broken;
}

Deno.test("each link of the documentation leads to a file, and to a heading of it", async () => {
  const pages = await allPages();
  assert(pages.length > 20 && pages.flatMap(({ text }) => linksOf(text)).length > 80);
  assertEquals((await Promise.all(pages.map(brokenLinks))).flat(), []);
});

Deno.test("a link that leads nowhere is noticed", async () => {
  const text = "# A page, `here`\n[a](abi.md) [b](abi.md#coalescing) [c](#a-page-here)\n" +
    "[d](nowhere.md)\n![a picture\nof two lines](gone.svg) [e](abi.md#nothing) [f](#a-page)\n" +
    "[g](https://example.org) `[h](code.md)`\n```text\n[i](block.md)\n# no heading\n```\n";
  const path = "docs/made-up.md";
  assertEquals(linksOf(text).length, 7);
  // The page does not exist as a file, so that its own headings are looked for here.
  assertEquals([...anchorsOf(text)], ["a-page-here"]);
  assertEquals(
    await brokenLinks({ path, text: text.replace(/ \[[cf]\]\(#[\w-]+\)/g, "") }),
    [`${path}: nowhere.md`, `${path}: gone.svg`, `${path}: abi.md#nothing`],
  );
});

Deno.test("docs/index.md lists every page, each once", async () => {
  const index = await readPage("docs/index.md");
  const listed = [...index.text.matchAll(/^- \[([^\]]+)\]\(([^)]+)\): \S/gm)];
  for (const [, name, target] of listed) assert(target!.endsWith(name!), `${name}: ${target}`);
  const root = new URL("docs/", ROOT);
  const found = listed.map(([, , target]) => new URL(target!, root).href.slice(ROOT.href.length));
  const pages = (await allPages()).map(({ path }) => path);
  const apart = ["README.md", "docs/index.md"]; // the one leads to the other
  assertEquals(found.toSorted(), pages.filter((path) => !apart.includes(path)).toSorted());
  assert(linksOf((await readPage("README.md")).text).includes("docs/index.md"));
});
