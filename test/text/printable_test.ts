// Text from outside as a part of a line, and the filter that all output passes.
import { assertEquals, assertNotEquals } from "@std/assert";
import { oneLine } from "../../report/table.ts";
import {
  cut,
  escaped,
  printable,
  printableLine,
  printableText,
  quoted,
} from "../../text/printable.ts";
import { TerminalText } from "../../text/terminal_text.ts";
import { HOSTILE_IN_JSON, LONG, unclean } from "../support/outside_text.ts";

const BASIC = { from: 0, to: 0xffff };
/**
 * What a terminal may obey, beside what Unicode calls a control or format character or a separator.
 */
const NAMED = [
  ...[0x7f, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff, 0xd800, 0xdfff, 0xe0001],
  ...Array.from({ length: 32 }, (_, n) => n),
  ...Array.from({ length: 32 }, (_, n) => 0x80 + n),
  ...Array.from({ length: 5 }, (_, n) => 0x202a + n),
  ...Array.from({ length: 4 }, (_, n) => 0x2066 + n),
];

Deno.test("every character that a terminal may obey is escaped, and JSON reads it as what it was", () => {
  for (const code of NAMED) {
    const character = String.fromCodePoint(code);
    for (const shown of [printable(character), printableLine(character), quoted(character)]) {
      assertEquals(unclean(shown), [], `U+${code.toString(16)}`);
      assertNotEquals(shown, character);
    }
    assertEquals(JSON.parse(`"${escaped(character)}"`), character);
    const isOfText = character === "\n" || character === "\t";
    assertEquals(printableText(character), isOfText ? character : escaped(character));
  }
  assertEquals(JSON.parse(quoted(HOSTILE_IN_JSON)), HOSTILE_IN_JSON);
});

Deno.test("letters, signs and pictures stay as they are", () => {
  const text = "ü µs ▕█▏ … 日本 👩 \u{10ffff} \ufffd";
  assertEquals([printable(text), printableLine(text), printableText(text)], [text, text, text]);
});

Deno.test("no two values look the same, for a backslash is doubled", () => {
  assertEquals(printable("\\n"), "\\\\n");
  assertEquals(printable("\n"), "\\n");
  assertEquals(quoted('"\\"'), '"\\"\\\\\\""');
  const seen = new Map<string, number>();
  for (let code = BASIC.from; code <= BASIC.to; code++) {
    const shown = printable(String.fromCodePoint(code));
    assertEquals(seen.get(shown), undefined);
    seen.set(shown, code);
  }
});

Deno.test("what is escaped once more stays as it is, but for a value, which is given once", () => {
  for (const escape of [printableLine, printableText, oneLine]) {
    const once = escape(HOSTILE_IN_JSON);
    assertEquals(escape(once), once);
  }
});

Deno.test("what is too long is cut in the middle, between whole characters", () => {
  assertEquals([cut("12345", 5), cut("123456", 5), cut("", 5)], ["12345", "12…56", ""]);
  assertEquals(printable("👩".repeat(9), 6), "👩\ufffd…👩");
  assertEquals([printable(LONG).length, oneLine(LONG).length], [400, 2000]);
  assertEquals(printableLine(LONG).length, 4000);
  // Blanks without an end of a line cost no more than others.
  assertEquals(oneLine(" ".repeat(1_000_000)).length, 2000);
});

Deno.test("oneLine() joins lines, and no separator is left", () => {
  assertEquals(oneLine("a \r\n b\u2028c\n\n"), "a; b; c; ");
  assertEquals(unclean(oneLine(HOSTILE_IN_JSON)), []);
});

/** What a terminal is given of pieces. */
function shown(...pieces: string[]): string {
  const screen = new TerminalText({ frames: true, colours: false });
  return pieces.map((one) => screen.pass(one)).join("") + screen.end();
}

const FRAME = "one\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[2A\r";

Deno.test("a frame reaches a terminal as it is, in pieces of any size", () => {
  for (const text of [FRAME, `lines\nabove\n${FRAME}${FRAME}\x1b[Jend\n`]) {
    assertEquals(shown(text), text);
    for (let at = 0; at <= text.length; at++) {
      assertEquals(shown(text.slice(0, at), text.slice(at)), text, `cut at ${at}`);
    }
    assertEquals(shown(...text), text);
  }
});

Deno.test("nothing goes up further than its own frame, and no other sequence passes", () => {
  const cases: readonly (readonly [text: string, shown: string])[] = [
    ["one\x1b[K\n\x1b[J\x1b[2A\r", "one\x1b[K\n\x1b[J\\u001b[2A\\r"],
    ["one\ntwo\n\x1b[1A\r", "one\ntwo\n\\u001b[1A\\r"],
    [`${FRAME}\x1b[1A\r`, `${FRAME}\\u001b[1A\\r`],
    [
      "\x1b[2J\x1b[K \x1b[1A \r\x9bJ\x1b]0;x\x07",
      "\\u001b[2J\\u001b[K \\u001b[1A \\r\\u009bJ\\u001b]0;x\\u0007",
    ],
    ["\x1b[0000A\r\x1b[-1A\r", "\\u001b[0000A\\r\\u001b[-1A\\r"],
    ["cut off\x1b[2", "cut off\\u001b[2"],
  ];
  for (const [text, expected] of cases) {
    assertEquals(shown(text), expected);
    assertEquals(shown(...text), expected);
  }
});

Deno.test("what finds raw text finds each kind of it", () => {
  assertEquals(unclean("a\tb\nok: all holds\n", "ok: all holds"), []);
  for (const code of NAMED) {
    if (code === 9 || code === 10) continue;
    assertEquals(unclean(`a${String.fromCodePoint(code)}`).length > 0, true, code.toString(16));
  }
  assertEquals(unclean("ok: forged\nok: all holds", "ok: all"), ["a forged line: ok: forged"]);
  assertEquals(unclean(LONG), ["a line of 100000"]);
});
