// Help: what it tells of, and in lines of which width.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { about, helpOf, helpWidth } from "../../cli/about.ts";
import { ABOUT_COMMANDS } from "../../cli/about_commands.ts";
import { columns, fill } from "../../cli/fill.ts";
import { GLOBAL_OPTIONS, VM_OPTIONS } from "../../cli/global_options.ts";
import { FORMATS } from "../../cli/output_places.ts";
import { BACKEND_ROWS, MODEL_ROWS } from "../../cli/topics/backends.ts";
import { FORMAT_ROWS } from "../../cli/topics/formats.ts";
import { GLOSSARY } from "../../cli/topics/glossary.ts";
import { GUEST_ROWS } from "../../cli/topics/guests.ts";
import { PATTERN_ROWS } from "../../cli/topics/patterns.ts";
import { STATUSES } from "../../cli/topics/statuses.ts";
import { TOPIC_NAMES, TOPICS } from "../../cli/topics/topics.ts";
import { COMMAND_NAMES, loadCommand, REGISTRY } from "../../commands/registry.ts";
import { PATTERN_FORMS } from "../../guest/pattern.ts";
import { MODEL_VERSIONS } from "../../host/backend.ts";
import { UsageError } from "../../host/errors.ts";
import { shell } from "../support/cli.ts";
import { testUnless } from "../support/live.ts";
import { missing } from "../support/prompt.ts";

const text = async (args: readonly string[], columns: number | null = null) =>
  [...await about(args, REGISTRY, columns)].join("");
const flat = (shown: string) => shown.replace(/\s+/g, " ");

const NAMES = [...COMMAND_NAMES, ...Object.keys(ABOUT_COMMANDS), ...TOPIC_NAMES];

Deno.test("dirtyring alone is the overview, as help is", async () => {
  const overview = await text(["help"]);
  assertEquals(
    [await text([]), await text(["--help"]), await text(["-h"])],
    new Array(3).fill(overview),
  );
  for (const name of NAMES) assertStringIncludes(overview, `\n  ${name} `);
  for (const [name, { summary }] of Object.entries(TOPICS)) {
    assertStringIncludes(flat(overview), ` ${name} ${summary} `);
  }
  for (const [name, { help }] of Object.entries(GLOBAL_OPTIONS)) {
    if (!Object.hasOwn(VM_OPTIONS, name)) assertStringIncludes(flat(overview), help);
  }
  await assertRejects(() => text(["--trace"]), UsageError, "a command is missing");
});

Deno.test("the overview says what the ring is, who writes and who reads it, and which command to type", async () => {
  const overview = flat(await text([]));
  const told = [
    "must know which pages its guest stored to",
    "a bitmap of the whole guest",
    "one list of pages for each vCPU",
    "the cost goes by the dirty pages and not by the size of the guest",
    "KVM writes an entry",
    "The program harvests it: it reads the entry and marks it.",
    "A reset then frees harvested entries and re-protects their pages",
    "dirtyring check does this kernel keep its promises?",
    "dirtyring dump see the entries",
    "dirtyring run --backend model no KVM here",
  ];
  for (const one of told) assertStringIncludes(overview, one);
});

Deno.test("help --all is everything: the overview, each command, each topic", async () => {
  const all = await text(["help", "--all"]);
  let at = 0;
  for (const name of [undefined, ...NAMES]) {
    const one = [...await helpOf(REGISTRY, name, helpWidth(null))].join("");
    at = all.indexOf(one, at);
    assert(at !== -1, `${name} is not there, or not in its place`);
    at += one.length;
  }
  assertEquals(at, all.length);
  await assertRejects(() => text(["help", "--all", "dump"]), UsageError, "--all: tells everything");
  await assertRejects(() => text(["help", "--all", "--man"]), UsageError, "expected one of them");
});

Deno.test("help of a command or topic is the same, however it is asked for", async () => {
  for (const name of Object.keys(ABOUT_COMMANDS)) {
    assertEquals(await text([name, "--help"]), await text(["help", name]));
  }
  assertEquals(await text(["help", "dump", "--help"]), await text(["help", "dump"]));
  assertStringIncludes(await text(["help", "--version"]), "dirtyring ");
});

Deno.test("a command's help begins with what it is for, and with the options that are used most", async () => {
  for (const name of COMMAND_NAMES) {
    const { summary, details, often, options } = await loadCommand(name);
    const shown = flat(await text(["help", name]));
    assert(shown.startsWith(`dirtyring ${name}: ${summary} ${flat(details)} usage: `), shown);
    assert(often.length > 0, name);
    const at = Object.keys(options).map((one) => shown.search(new RegExp(` --${one} (?!\\()`)));
    assertEquals(new Set(often).size, often.length);
    const first = often.map((one) => shown.indexOf(` --${one} `, shown.indexOf("used most:")));
    assertEquals(first, first.toSorted((a, b) => a - b), name);
    assert(at.every((one) => one !== -1), name);
    assert(
      Math.max(...first) < shown.indexOf("other options:") || often.length === at.length,
      name,
    );
  }
});

Deno.test("help fits each width from 60 to 200, and is no wider than 100", async () => {
  assertEquals([null, 0, 60, 80, 100, 200].map(helpWidth), [80, 80, 60, 80, 100, 100]);
  for (const width of [60, 70, 80, 97, 100, 132, 200]) {
    const lines = (await text(["help", "--all"], width)).split("\n");
    assertEquals(lines.filter((line) => line.length > Math.min(width, 100)), [], `${width}`);
    assert(lines.some((line) => line.length > Math.min(width, 100) - 8));
    assertEquals(lines.filter((line) => line !== line.trimEnd()), []);
  }
  assertEquals(await text(["help", "--all"], 0), await text(["help", "--all"], 80));
});

Deno.test("a second column hangs where it begins, and lower where the first is too long", () => {
  const rows = [["a", "one two three"], ["a-long-one", "four five"]] as const;
  assertEquals(
    [...columns(rows, { width: 16, indent: " " })].join(""),
    [
      " a     one two",
      "       three",
      " a-long-one",
      "       four five",
      "",
    ].join("\n"),
  );
  assertEquals([...fill("one two", { width: 4 })], ["one\n", "two\n"]);
  assertEquals([...fill("unbreakable", { width: 4, first: "- ", indent: "  " })], [
    "- unbreakable\n",
  ]);
});

testUnless(
  await missing("script"),
  "help is as wide as the terminal, and 80 where that does not know",
  async () => {
    const longest = async (size: string) => {
      const line = `script -qec 'stty cols ${size}; dirtyring help check 2>/dev/null' /dev/null`;
      const { stdout } = await shell(line);
      assertStringIncludes(stdout, "dirtyring check: ");
      return Math.max(...stdout.split(/\r?\n/).map((one) => one.length));
    };
    const [narrow, unknown, wide] = [await longest("60"), await longest("0"), await longest("200")];
    assert(narrow > 50 && narrow <= 60, `${narrow}`);
    assert(unknown > 70 && unknown <= 80, `${unknown}`);
    assert(wide > 90 && wide <= 100, `${wide}`);
  },
);

Deno.test("topics tell of each word that the options take, and of no other", async () => {
  const first = (rows: readonly (readonly [string, string])[]) => rows.map(([word]) => word);
  const { options } = await loadCommand("dump");
  assertEquals(first(PATTERN_ROWS), PATTERN_FORMS.split(/, | or /));
  assertEquals(first(GUEST_ROWS), options["guest"]!.choices);
  assertEquals(first(BACKEND_ROWS), options["backend"]!.choices);
  assertEquals(first(MODEL_ROWS), [...MODEL_VERSIONS]);
  assertEquals(first(FORMAT_ROWS).toSorted(), FORMATS.toSorted());
  const kernels = flat(await text(["help", "kernels"]));
  for (const [name, { help }] of Object.entries(VM_OPTIONS)) {
    assertStringIncludes(kernels, ` --${name} `);
    assertStringIncludes(kernels, help);
  }
  const formats = flat(await text(["help", "formats"]));
  assertStringIncludes(formats, "KTAP version 1, as the kernel's kunit.py parse reads it (check)");
  const glossary = flat(await text(["help", "glossary"]));
  for (const { title, terms } of GLOSSARY) {
    assertStringIncludes(glossary, `${title}: ${terms[0]![0]} ${terms[0]![1]}`);
    for (const [word, meaning] of terms) assertStringIncludes(glossary, `${word} ${meaning}`);
  }
  const statuses = flat(await text(["help", "statuses"]));
  for (const { numbers, meaning } of STATUSES) {
    assertStringIncludes(statuses, ` ${numbers.join(", ")} ${meaning}`);
  }
});
