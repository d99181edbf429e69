// Texts and tables that fit a width.
import { assert, assertEquals } from "@std/assert";
import { colouredInk } from "../../cli/ink.ts";
import { cutTo, fitted, fittedLine, widthOf, wrap } from "../../report/layout.ts";
import { PLAIN_PAGE } from "../../report/page.ts";
import { table } from "../../report/table.ts";
import fc from "../support/fast_check.ts";

const ink = colouredInk();

Deno.test("colours, marks and wide characters have their widths", () => {
  assertEquals(["e\u0301", "漢字", "█▏µ–", ink.bad("a b")].map(widthOf), [1, 4, 4, 3]);
  assertEquals(cutTo(`x${ink.bad("red 漢字")}y`, 6), `x\x1b[31mred \x1b[39m`);
  assertEquals(cutTo("short", 5), "short");
});

Deno.test("what is known to be one column wide is so by its properties, too", () => {
  const wrong: string[] = [];
  for (let code = 0x20; code < 0x3000; code++) {
    const one = String.fromCodePoint(code);
    // Beside a wide character each is looked up.
    if (widthOf(one) !== widthOf(`${one}漢`) - 2) wrong.push(code.toString(16));
  }
  assertEquals(wrong, []);
});

Deno.test("a line breaks between words, not before a unit, and goes on below its text", () => {
  assertEquals(
    fittedLine("lab     real16 guest, 2 vCPUs, 64 MiB", 32),
    [
      "lab     real16 guest, 2 vCPUs,",
      "        64 MiB",
    ].join("\n"),
  );
  assertEquals(fittedLine("ok: it took 99.8 µs", 18), "ok: it took\n  99.8 µs");
  assertEquals(fittedLine("# expected  a b c d e f", 16), "# expected  a b\n#   c d e f");
  assertEquals(
    fittedLine("  pass   id.of  one two three", 21),
    [
      "  pass   id.of  one",
      "         two three",
    ].join("\n"),
  );
  const script = `{"do":"store","gfns":[${"1048789,".repeat(9)}1]}`;
  assertEquals(fittedLine(script, 20), script);
  const path = `/a/path/that/${"is-long/".repeat(9)}`;
  assertEquals(wrap(`restore ${path}: ENOENT`, { columns: 20, hang: "  " }), [
    "restore",
    `  ${path}:`,
    "  ENOENT",
  ]);
});

Deno.test("a colour that is broken ends on each line, and begins anew", () => {
  assertEquals(wrap(ink.bad("one two three"), { columns: 8, hang: "" }), [
    ink.bad("one two"),
    ink.bad("three"),
  ]);
});

Deno.test("no word is lost, and no line is wider than it may be", () => {
  const word = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(..."ab1.,%") });
  fc.assert(fc.property(fc.array(word), fc.integer({ min: 20, max: 60 }), (words, columns) => {
    const line = words.join(" ");
    const lines = wrap(line, { columns, hang: "  " });
    assertEquals(lines.join(" ").split(" ").filter((one) => one !== ""), words);
    // A number and its unit stay together: two words at most.
    assert(lines.every((one) => widthOf(one) <= Math.max(columns, 2 + 25)));
    const whole = [...fitted([`${line}\n`, line.slice(0, 3), line.slice(3)], columns)].join("");
    assertEquals(
      whole.split("\n").length - 1,
      2 * fittedLine(line, columns).split("\n").length - 1,
    );
  }));
});

const WORDS = "a statement that is quite long, and so is broken into lines";

Deno.test("a table that is too wide breaks prose, shortens bars, leaves them out, and goes on below", () => {
  const rows = [["id", "says", "n", ""], ["a.b", WORDS, "12", "█".repeat(20)]];
  const at = (columns: number | null) =>
    [...table(rows, ["left", "prose", "right", "bar"], "", {
      page: { ...PLAIN_PAGE, columns },
      heads: 1,
    })].join("");
  assertEquals(at(null), at(200));
  assertEquals(at(44).split("\n"), [
    "id   says                        n",
    "a.b  a statement that is quite  12  ████████",
    "     long, and so is broken",
    "     into lines",
    "",
  ]);
  assert(at(33).split("\n").every((line) => widthOf(line) <= 33) && !at(33).includes("█"));
  assertEquals(at(30).split("\n").filter((line) => line.startsWith("a.b")), [
    "a.b  a statement that is quite",
    "a.b  12",
  ]);
});

Deno.test("the upper head and the names stand before each part of a table; rows without a cell there do not", () => {
  const rows = [
    ["", "plain", "", "sorted", ""],
    ["pages", "harvest", "reset", "harvest", "reset"],
    ["66", "4.0", "96.0", "4.0", "16.0"],
    ["all", "4.0", "96.0", "4.0", ""],
  ];
  const lines = [...table(rows, ["left", "right", "right", "right", "right"], "", {
    page: { ...PLAIN_PAGE, columns: 32 },
    heads: 2,
  })];
  assertEquals(lines.join("").split("\n"), [
    "         plain          sorted",
    "pages  harvest  reset  harvest",
    "66         4.0   96.0      4.0",
    "all        4.0   96.0      4.0",
    "",
    "       sorted",
    "pages   reset",
    "66       16.0",
    "",
  ]);
});
