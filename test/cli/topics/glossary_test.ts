// One glossary: what `dirtyring help glossary` prints is what docs/glossary.md holds.
import { assert, assertEquals } from "@std/assert";
import { GLOSSARY, type TermGroup } from "../../../cli/topics/glossary.ts";

// The groups and terms of docs/glossary.md: a heading for a group, a paragraph for a term.
function groupsOf(page: string): TermGroup[] {
  return page.split(/^## /m).slice(1).map((part) => {
    const [title, ...paragraphs] = part.trim().split(/\n\s*\n|\n(?=\*\*)/);
    return {
      title: title!,
      terms: paragraphs.map((text) => {
        const [, word, meaning] = /^\*\*(.+?)\*\*: (.+)$/s.exec(text.trim()) ?? [];
        assert(word !== undefined && meaning !== undefined, `no term: ${text}`);
        return [word, meaning.replace(/\s+/g, " ")];
      }),
    };
  });
}

const PAGE = await Deno.readTextFile(new URL("../../../docs/glossary.md", import.meta.url));

Deno.test("docs/glossary.md holds the sentences of the glossary", () => {
  assertEquals(groupsOf(PAGE), GLOSSARY);
});

Deno.test("a changed word, or one too many, in docs/glossary.md would be noticed", () => {
  const changes = [
    PAGE.replace("must copy it again", "may copy it again"),
    PAGE.replace("**gap**", "**hole**"),
    `${PAGE}\n**rest**: What is left.\n`,
    PAGE.replace("## Inside a reset\n", ""),
  ];
  for (const changed of changes) {
    assert(changed !== PAGE);
    assert(JSON.stringify(groupsOf(changed)) !== JSON.stringify(GLOSSARY));
  }
});

Deno.test("no word stands in the glossary twice, and each has a sentence or two", () => {
  const terms = GLOSSARY.flatMap(({ terms }) => terms);
  assertEquals(new Set(terms.map(([word]) => word)).size, terms.length);
  for (const [word, meaning] of terms) {
    assert(/^[A-Z0-9].*\.\)?$/.test(meaning), word);
    assert(meaning.split(/\. /).length <= 4, word);
  }
});
