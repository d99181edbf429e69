import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GLOBAL_OPTIONS } from "../../cli/global_options.ts";
import { helpOf } from "../../cli/about.ts";
import { nearest } from "../../cli/nearest.ts";
import {
  choice,
  count,
  flag,
  memorySize,
  type OperandTable,
  optionalCount,
  ringSize,
} from "../../cli/option.ts";
import { parseLine, parseOperands, usage } from "../../cli/parse.ts";
import { COMMAND_NAMES, loadCommand, REGISTRY } from "../../commands/registry.ts";
import { UsageError } from "../../host/errors.ts";

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

const OPERANDS: OperandTable = {
  folder: {
    value: "DIR",
    help: "",
    fallback: "",
    fallbackText: null,
    isRequired: true,
    parse: (text) => text,
  },
  programs: { ...count("", 7, { min: 1 }), value: "N", isRequired: false },
};

Deno.test("parseOperands() reads each in its place, and fills those that may be missing", () => {
  const command = { name: "go", operands: OPERANDS };
  assertEquals(parseOperands(command, ["a", "3"]), { folder: "a", programs: 3 });
  assertEquals(parseOperands(command, ["-a"]), { folder: "-a", programs: 7 });
  assertEquals(parseOperands({ name: "go", operands: {} }, []), {});
  assertEquals(usage(command), "dirtyring go DIR [N] [OPTION ...]");
  const wrong = (texts: readonly string[], message: string) =>
    assertThrows(() => parseOperands(command, texts), UsageError, message);
  wrong([], "go: DIR is missing; expected dirtyring go DIR [N] [OPTION ...]");
  wrong(["a", "0"], "go 0: expected a whole number of 1 or more");
  wrong(["a", "3", "b\n", "c"], "unexpected b\\n; expected dirtyring go DIR [N] [OPTION ...]");
});

Deno.test("parseLine() says of an option that has moved where it is, before all that is unknown", async () => {
  const moved = { old: "--old is gone" };
  for (const args of [["--old"], ["--old=3"], ["--nothing", "--old", "3"], ["x", "--old"]]) {
    await assertRejects(() => parseLine(args, OPTIONS, moved), UsageError, "--old is gone");
  }
  await assertRejects(() => parseLine(["--olds"], OPTIONS, moved), UsageError, "unknown option");
  await assertRejects(() => parseLine(["-xold"], OPTIONS, moved), UsageError, "unknown option");
  await assertRejects(() => parseLine(["--toString"], OPTIONS, moved), UsageError, "unknown");
});

Deno.test("the options that have moved are no more, and lead to commands that there are", async () => {
  const all = await Promise.all(COMMAND_NAMES.map(async (name) => {
    const { options } = await loadCommand(name);
    const moved = Object.entries(REGISTRY.movedFrom(name));
    assertEquals(moved.filter(([option]) => Object.hasOwn(options, option)), []);
    return await Promise.all(moved.map(async ([option, message]) => {
      const [, now, ...rest] = message.split(": ")[1]!.split(" ");
      const command = await loadCommand(now!);
      const operands = Object.values(command.operands).map(({ value }) => value);
      const known = [...operands, ...Object.keys(command.options).map((one) => `--${one}`)];
      assertEquals(rest.filter((word) => !known.includes(word) && word !== "FILE"), []);
      return `${name} --${option}: ${now}`;
    }));
  }));
  assertEquals(all.flat().toSorted(), [
    ...["check --fuzz-file: fuzz", "check --fuzz: fuzz", "checkpoint --restore: restore"],
    "run --live: live",
  ]);
});

Deno.test("parseLine() names what is wrong and what was expected", async () => {
  const wrong = (args: string[], message: string) =>
    assertRejects(() => parse(...args), UsageError, message);
  await wrong(["--pags", "3"], "unknown option --pags; did you mean --pages?");
  await wrong(["--pags=3"], "unknown option --pags; did you mean --pages?");
  await wrong(["-x"], "unknown option -x");
  await wrong(["--no-all"], "unknown option --no-all");
  await wrong(["a", "-_", "b"], "unknown option -_");
  await wrong(["a", "-__proto__"], "unknown option -__proto__");
  await wrong(["a", "--_=b", "c"], "unknown option --_");
  await wrong(["--_", "a"], "unknown option --_");
  assertEquals((await parse("a_", "-", "--", "-_")).operands, ["a_", "-", "-_"]);
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
    // An operand's value stands beside those of options, and what may be missing stands last.
    const options = { ...command.options, ...GLOBAL_OPTIONS };
    assertEquals(Object.keys(command.operands).filter((one) => one in options), []);
    const required = Object.values(command.operands).map(({ isRequired }) => isRequired);
    assertEquals(required, required.toSorted((a, b) => Number(b) - Number(a)));
    const text = [...await helpOf(REGISTRY, name, 80)].join("");
    for (const one of Object.keys(command.options)) assert(text.includes(`--${one}`), one);
  }
});

Deno.test("every example in help parses", async () => {
  for (const name of COMMAND_NAMES) {
    const command = await loadCommand(name);
    const { examples, options } = command;
    for (const [line] of examples) {
      const words = line.slice(line.indexOf("dirtyring ")).split(" ");
      assertEquals(words.slice(0, 2), ["dirtyring", name]);
      const { operands } = await parseLine(words.slice(2), { ...options, ...GLOBAL_OPTIONS });
      parseOperands(command, operands);
    }
  }
});

Deno.test("an unknown command suggests the nearest", async () => {
  await assertRejects(() => loadCommand("rset"), UsageError, "did you mean dirtyring reset?");
  await assertRejects(() => loadCommand("constructor"), UsageError, "unknown command");
  await assertRejects(
    () => helpOf(REGISTRY, "prob", 80),
    UsageError,
    "did you mean dirtyring help probe?",
  );
});

Deno.test("nearest() names what a slip or two lead to, and nothing far away", () => {
  const near = (word: string) => nearest(word, [...COMMAND_NAMES, "help"]);
  const slips = [
    "chekc",
    "hlep",
    "chek",
    "dmp",
    "DUMP",
    "restre",
    "benchh",
    "checkpont",
    "res",
  ];
  assertEquals(slips.map(near), [
    "check",
    "help",
    "check",
    "dump",
    "dump",
    "restore",
    "bench",
    "checkpoint",
    "reset",
  ]);
  assertEquals(
    ["foo", "x", "", "frobnicate", "xyzzy", "migrate"].map(near),
    new Array(6).fill(null),
  );
  assertEquals(nearest("x", []), null);
});

Deno.test("what is no command may be a topic or an option, and is nothing where all is far away", async () => {
  const meant: readonly (readonly [string, string])[] = [
    ["version", "did you mean dirtyring --version?"],
    ["patterns", "did you mean dirtyring help patterns?"],
    ["glosary", "did you mean dirtyring help glossary?"],
    ["completion", "did you mean dirtyring completions?"],
    ["foo", "unknown command foo; dirtyring help lists all"],
  ];
  for (const [word, text] of meant) {
    await assertRejects(() => loadCommand(word), UsageError, text);
  }
  const helped = (word: string) => helpOf(REGISTRY, word, 80);
  await assertRejects(
    () => helped("foo"),
    UsageError,
    "unknown command or topic foo; dirtyring help",
  );
  await assertRejects(() => helped("pattern"), UsageError, "did you mean dirtyring help patterns?");
});
