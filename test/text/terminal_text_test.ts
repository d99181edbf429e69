// Which colours an output lets through: this program's own, on one line, and no others.
import { assert, assertEquals } from "@std/assert";
import { colouredInk } from "../../cli/ink.ts";
import { type Obeyed, TerminalText } from "../../text/terminal_text.ts";
import { STYLES, unstyled } from "../../text/styled.ts";

const COLOURS: Obeyed = { frames: false, colours: true };

function shown(obeyed: Obeyed, ...pieces: readonly string[]): string {
  const screen = new TerminalText(obeyed);
  return pieces.map((one) => screen.pass(one)).join("") + screen.end();
}

const escaped = (text: string) => text.replaceAll("\x1b", "\\u001b");

Deno.test("what the ink prints is what an output lets through, in pieces of any size", () => {
  const ink = colouredInk();
  const names = ["good", "bad", "warn", "bold", "dim", "bar"] as const;
  for (const name of names) {
    const text = `a ${ink[name]("FAIL █")} b\n`;
    const [begin, end] = STYLES[name];
    assertEquals(text, `a \x1b[${begin}mFAIL █\x1b[${end}m b\n`);
    assertEquals(unstyled(text), "a FAIL █ b\n");
    assertEquals(shown(COLOURS, text), text);
    assertEquals(shown(COLOURS, ...text), text);
    for (let at = 0; at <= text.length; at++) {
      assertEquals(shown(COLOURS, text.slice(0, at), text.slice(at)), text, `cut at ${at}`);
    }
  }
});

Deno.test("without colours, and for any other sequence, all is escaped", () => {
  const red = "\x1b[31mred\x1b[39m";
  assertEquals(shown({ frames: true, colours: false }, red), escaped(red));
  for (
    const text of [
      ...["\x1b[5mblink\x1b[25m", "\x1b[38;5;1mx\x1b[39m", "\x1b[mx\x1b[m", "\x1b[0m"],
      ...[
        "\x1b[31mruns on\nto here\x1b[39m",
        "\x1b[31mnever ends\n",
        "\x1b[39m",
        "\x1b[1mx\x1b[39m",
      ],
      ...["\x1b[8mhidden\x1b[28m", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "\x1b[31m"],
    ]
  ) {
    const expected = escaped(text).replaceAll("\x07", "\\u0007");
    assertEquals(shown(COLOURS, text), expected);
    assertEquals(shown(COLOURS, ...text), expected);
  }
  // A colour is let through with what is in it escaped.
  assertEquals(shown(COLOURS, "\x1b[31ma\x07\x1b[39m"), "\x1b[31ma\\u0007\x1b[39m");
  assertEquals(shown(COLOURS, `\x1b[31m\x1b[2J\x1b[39m`), escaped("\x1b[31m\x1b[2J\x1b[39m"));
});

Deno.test("a text that never ends its colour is not waited for", () => {
  const screen = new TerminalText(COLOURS);
  assertEquals(screen.pass("\x1b[31m"), "");
  const passed = screen.pass("x".repeat(5000));
  assert(passed.startsWith("\\u001b[31mxxx"));
  assertEquals(passed.length, 5000 + escaped("\x1b[31m").length);
});
