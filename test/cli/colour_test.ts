// Which outputs have colours, and what decides.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { colouredInk } from "../../cli/ink.ts";
import { type ColorChoice, colorChoice, isColoured } from "../../cli/terminal.ts";
import { denoArgs } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import "../support/libc.ts"; // what listens to signals binds it
import { unclean } from "../support/outside_text.ts";
import { atTerminal } from "../support/terminal_run.ts";

const SMART = { isDumb: false };
const DUMB = { isDumb: true };
const SIZE = { columns: 80, rows: 24 };
const ESCAPE = "\x1b";

Deno.test("the option comes before NO_COLOR, NO_COLOR before FORCE_COLOR, and all before the terminal", () => {
  const cases: readonly (readonly [ColorChoice, string | null, string | null, boolean])[] = [
    ["always", "1", null, true],
    ["never", null, "1", false],
    ["auto", "1", "1", false],
    ["auto", "", "1", true],
    ["auto", null, "0", false],
  ];
  for (const [choice, NO_COLOR, FORCE_COLOR, expected] of cases) {
    for (const terminal of [null, SMART, DUMB]) {
      assertEquals(isColoured(choice, { NO_COLOR, FORCE_COLOR }, terminal), expected);
    }
  }
  const unset = { NO_COLOR: null, FORCE_COLOR: "" };
  const auto = (terminal: typeof SMART | null) => isColoured("auto", unset, terminal);
  assertEquals([auto(null), auto(SMART), auto(DUMB)], [false, true, false]);
});

Deno.test("the value of --color is found before the command line is parsed", () => {
  const cases: readonly (readonly [string, ColorChoice])[] = [
    ["dump --color always", "always"],
    ["dump --color=never --pages 0", "never"],
    ["--color=always", "always"],
    ["dump --color", "auto"],
    ["dump --color=blue", "auto"],
    ["fuzz -- --color=always", "auto"],
  ];
  for (const [line, expected] of cases) assertEquals(colorChoice(line.split(" ")), expected, line);
});

Deno.test("no switch of the library decides", () => {
  const before = colouredInk();
  setColorEnabled(false);
  try {
    assertEquals(before.bad("x"), "\x1b[31mx\x1b[39m");
    assertEquals(colouredInk().bad("x"), "\x1b[31mx\x1b[39m");
  } finally {
    setColorEnabled(!Deno.noColor);
  }
});

async function piped(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    stdin: "null",
    env: { NO_COLOR: "", FORCE_COLOR: "", ...env },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { stdout: out!, stderr: err! };
}

Deno.test("a process obeys the option and the variables, in pipes too", async () => {
  const line = ["enable", "--backend", "model", "--matrix"];
  const forced = await piped(line, { FORCE_COLOR: "1" });
  assertStringIncludes(forced.stdout, "\x1b[1mstatement\x1b[22m");
  assert(!(await piped(line, {})).stdout.includes(ESCAPE));
  assert(!(await piped(line, { NO_COLOR: "1", FORCE_COLOR: "1" })).stdout.includes(ESCAPE));
  const asked = await piped([...line, "--color", "always"], { NO_COLOR: "1" });
  assertEquals(asked.stdout, forced.stdout);
  const wrong = await piped(["dump", "--pages", "0"], { FORCE_COLOR: "1" });
  assertStringIncludes(wrong.stderr, "\x1b[31mdirtyring:\x1b[39m --pages 0: ");
});

Deno.test("files and JSON have no colours, whatever is asked for", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/result.txt`;
  const line = ["enable", "--backend", "model", "--matrix"];
  await piped([...line, "--output", file], { FORCE_COLOR: "1" });
  const text = await Deno.readTextFile(file);
  assertStringIncludes(text, "61 cases, all as documented");
  assert(!text.includes(ESCAPE));
  const json = await piped([...line, "--format", "json"], { FORCE_COLOR: "1" });
  assert(!json.stdout.includes(ESCAPE) && json.stdout.includes('"dirtyring.enable/1"'));
});

Deno.test("a name that holds colours does not colour anything", async () => {
  const name = "a\x1b[31mred\x1b[39m\x1b[2J";
  const line = ["restore", "--backend", "model", name];
  const { text, status } = await atTerminal(line, { ...SIZE, colours: true });
  assertEquals(status, 2);
  assertStringIncludes(text, "a\\u001b[31mred\\u001b[39m\\u001b[2J");
  assertEquals(unclean(text.replace("\x1b[31mdirtyring:\x1b[39m", "dirtyring:")), []);
});

// A run binds what it needs of libc, for good.
const dumbRun = {
  name: "a terminal that is dumb gets plain lines, and no escape sequence",
  sanitizeResources: false,
};
Deno.test(dumbRun, async () => {
  const dumb = () => ({ ...SIZE, isDumb: true });
  const line = ["live", "--backend", "model", "--duration", "3s", "--memory", "4MiB"];
  const plain = await atTerminal(line, { ...SIZE, colours: false, world: { terminal: dumb } });
  assert(!plain.text.includes(ESCAPE));
  const lines = plain.text.match(/^ +[123]\.0 s .*pages\/s/gm) ?? [];
  assertEquals(lines.length, 3, plain.text);
  const smart = await atTerminal(line, { ...SIZE, colours: false });
  assertStringIncludes(smart.text, "\x1b[K\n");
});
