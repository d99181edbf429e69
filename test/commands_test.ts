import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GLOBAL_OPTIONS } from "../commands/global_options.ts";
import { help } from "../commands/help.ts";
import { nearest } from "../commands/nearest.ts";
import { choice, count, flag, optionalCount } from "../commands/option.ts";
import { parseLine } from "../commands/parse.ts";
import { COMMAND_NAMES, loadCommand } from "../commands/registry.ts";
import { memorySize, ringSize } from "../commands/size.ts";
import { UsageError } from "../lab/usage_error.ts";

const OPTIONS = {
  pages: optionalCount("", { min: 1 }),
  seed: count("", 1),
  pattern: choice("", ["sequential", "-"]),
  all: flag(""),
};
const parse = (...args: string[]) => parseLine(args, OPTIONS);

Deno.test("parseLine() fills every option, given or not", async () => {
  const { values, operands } = await parse(
    "--pages",
    "3",
    "--all",
    "--seed=0x10",
    "--pattern",
    "-",
  );
  assertEquals(values, { pages: 3, seed: 16, pattern: "-", all: true });
  assertEquals(operands, []);
  assertEquals((await parse()).values, {
    pages: undefined,
    seed: 1,
    pattern: "sequential",
    all: false,
  });
});

Deno.test("parseLine() hands on what is no option, and all after --", async () => {
  assertEquals((await parse("a", "--all", "--", "--pages")).operands, ["a", "--pages"]);
});

Deno.test("parseLine() names what is wrong and what was expected", async () => {
  const wrong = (args: string[], message: string) =>
    assertRejects(() => parse(...args), UsageError, message);
  await wrong(["--pags", "3"], "unknown option --pags; did you mean --pages?");
  await wrong(["--pags=3"], "unknown option --pags; did you mean --pages?");
  await wrong(["-x"], "unknown option -x");
  await wrong(["--no-all"], "unknown option --no-all");
  await wrong(["--pages"], "--pages: a value is missing; expected --pages N");
  await wrong(["--pages", "0"], "--pages 0: expected a whole number of 1 or more");
  await wrong(["--pages", "-1"], "--pages -1: expected");
  await wrong(["--pages", "1.5"], "--pages 1.5: expected");
  await wrong(["--pages", "1e3"], "--pages 1e3: expected");
  await wrong(["--pages", ""], '--pages "": expected');
  await wrong(["--pages", "99999999999999999999"], "expected");
  await wrong(["--pages", "3", "--pages", "4"], "--pages is given 2 times");
  await wrong(["--all=no"], "--all takes no value");
  await wrong(["--pattern", "x"], "--pattern x: expected sequential or -");
});

Deno.test("ringSize() counts entries, and bytes with a unit", () => {
  const ring = ringSize("", 4096);
  assertEquals([ring.parse("4096"), ring.parse("64KiB"), ring.parse("0"), ring.parse("5000")], [
    65536,
    65536,
    0,
    80000, // the kernel judges
  ]);
  assertThrows(() => ring.parse("268435456"), SyntaxError, "low 32 bits");
  assertThrows(() => ring.parse("4GiB"), SyntaxError, "4294967296 bytes");
  assertThrows(() => ring.parse("100B"), SyntaxError, "multiple of 16 bytes");
  assertThrows(() => ring.parse("4096.5"), SyntaxError, "number of entries");
  assertThrows(() => ring.parse("x"), SyntaxError, "number of entries");
});

Deno.test("memorySize() takes whole pages with a unit", () => {
  const memory = memorySize("", 0, "");
  assertEquals([memory.parse("64MiB"), memory.parse("2GiB"), memory.parse("1.5 gib")], [
    2 ** 26,
    2 ** 31,
    1.5 * 2 ** 30,
  ]);
  for (const text of ["0", "64", "5KiB", "1ZiB", "-1MiB", "MiB", "1e9", "999999TiB"]) {
    assertThrows(() => memory.parse(text), SyntaxError, "expected a size with a unit", text);
  }
});

Deno.test("every command is complete: name, summary, details, options with help, examples", async () => {
  for (const name of COMMAND_NAMES) {
    const command = await loadCommand(name);
    assertEquals(command.name, name);
    assert(command.summary.length > 0 && command.details.length > 0 && command.examples.length > 0);
    for (const option of Object.values(command.options)) assert(option.help.length > 0);
    assertEquals(Object.keys(command.options).filter((one) => one in GLOBAL_OPTIONS), []);
    const text = [...await help(name)].join("");
    for (const one of Object.keys(command.options)) assert(text.includes(`--${one}`), one);
  }
});

Deno.test("every example in help parses", async () => {
  for (const name of COMMAND_NAMES) {
    const { examples, options } = await loadCommand(name);
    for (const [line] of examples) {
      const words = line.slice(line.indexOf("dirtyring ")).split(" ");
      assertEquals(words.slice(0, 2), ["dirtyring", name]);
      await parseLine(words.slice(2), { ...options, ...GLOBAL_OPTIONS });
    }
  }
});

Deno.test("an unknown command suggests the nearest", async () => {
  await assertRejects(() => loadCommand("rest"), UsageError, "did you mean reset?");
  await assertRejects(() => loadCommand("constructor"), UsageError, "unknown command");
  await assertRejects(() => help("prob"), UsageError, "did you mean probe?");
});

Deno.test("nearest() answers null where there is nothing to choose from", () => {
  assertEquals(nearest("x", []), null);
});
