// The pages of the manual, as man and groff read them: without a warning, at several widths.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ABOUT_COMMANDS } from "../../cli/about_commands.ts";
import { manPage } from "../../cli/man_page.ts";
import { GLOSSARY } from "../../cli/topics/glossary.ts";
import { STATUSES } from "../../cli/topics/statuses.ts";
import { COMMAND_NAMES, loadCommand, REGISTRY } from "../../commands/registry.ts";
import { UsageError } from "../../host/errors.ts";
import { inFolder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";
import { missing } from "../support/prompt.ts";

const pageOf = async (name?: string) => [...await manPage(REGISTRY, name)].join("");

/** The program, and each command. */
const PAGES: readonly (string | undefined)[] = [
  undefined,
  ...COMMAND_NAMES,
  ...Object.keys(ABOUT_COMMANDS),
];

// What a program makes of a page, and what it says about it.
async function read(program: string, args: readonly string[], page: string, width = 80) {
  return await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/page.1`, page);
    const { stdout, stderr } = await new Deno.Command(program, {
      args: [...args, `${folder}/page.1`],
      env: { MANWIDTH: `${width}`, LC_ALL: "C.UTF-8", MANPAGER: "cat", MANROFFOPT: "-c" },
    }).output();
    const decoder = new TextDecoder();
    // deno-lint-ignore no-control-regex
    const text = decoder.decode(stdout).replace(/.\x08|\x1b\[[\d;]*m/g, "");
    return { text, warnings: decoder.decode(stderr) };
  });
}

const man = (page: string, width?: number) => read("man", ["--warnings", "-l"], page, width);
const groff = (page: string) => read("groff", ["-man", "-ww", "-Tutf8", "-Kutf8"], page);

testUnless(
  await missing("man"),
  "man reads each page without a warning, in lines that fit",
  async () => {
    for (const name of PAGES) {
      const page = await pageOf(name);
      for (const width of [60, 80, 120]) {
        const { text, warnings } = await man(page, width);
        assertEquals(warnings, "", `${name} ${width}`);
        assertEquals(
          text.split("\n").filter((line) => line.length > width),
          [],
          `${name} ${width}`,
        );
        assert(text.split("\n").length > 30);
      }
    }
  },
);

testUnless(
  await missing("groff"),
  "groff reads each page without a warning of any kind",
  async () => {
    for (const name of PAGES) assertEquals((await groff(await pageOf(name))).warnings, "", name);
  },
);

testUnless(await missing("man", "groff"), "what is wrong in a page would be noticed", async () => {
  const page = await pageOf("dump");
  const wrong = [page.replace(".TP", ".TQP"), page.replace("\\-", "\\[hyphne]")];
  for (const one of wrong) {
    assert(one !== page);
    assert((await man(one)).warnings !== "");
    assert((await groff(one)).warnings !== "");
  }
});

testUnless(await missing("man"), "a page tells what the declaration does", async () => {
  for (const name of COMMAND_NAMES) {
    const { summary, options, examples } = await loadCommand(name);
    const shown = (await man(await pageOf(name))).text.replace(/\s+/g, " ");
    assertStringIncludes(shown, `NAME dirtyring-${name} - ${summary} SYNOPSIS dirtyring ${name}`);
    for (const [option, { value, help, fallbackText }] of Object.entries(options)) {
      assertStringIncludes(shown, ` --${option}${value === null ? "" : ` ${value}`} ${help}`);
      if (value !== null && fallbackText !== null) {
        assertStringIncludes(shown, `(default: ${fallbackText})`);
      }
    }
    for (const [line, shows] of examples) assertStringIncludes(shown, `${line} ${shows}`);
    for (const { meaning } of STATUSES) assertStringIncludes(shown, meaning);
  }
  const program = (await man(await pageOf())).text.replace(/\s+/g, " ");
  for (const name of COMMAND_NAMES) assertStringIncludes(program, `dirtyring-${name}(1)`);
  for (const { terms } of GLOSSARY) {
    for (const [word, meaning] of terms) assertStringIncludes(program, `${word} ${meaning}`);
  }
});

Deno.test("a page that there is not is refused", async () => {
  await assertRejects(() => pageOf("glossary"), UsageError, "a topic has no page of its own");
  await assertRejects(() => pageOf("dmp"), UsageError, "did you mean dirtyring dump?");
});
