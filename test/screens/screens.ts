// Makes the screens of the cases: what a person sees at terminals of three widths.
import { colouredInk } from "../../cli/ink.ts";
import { fitted, fittedLine, isCopied } from "../../report/layout.ts";
import { PLAIN } from "../../report/page.ts";
import { withStatusInk } from "../../report/status_words.ts";
import { Folder } from "../support/folder.ts";
import { atTerminal } from "../support/terminal_run.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import { CASES, lossyKernel, PAGE, type ScreenCase } from "./cases.ts";

/** The widths. */
export const WIDTHS = [60, 80, 200] as const;
const ROWS = 50;

/** The screens of a case. */
export interface Screens {
  readonly name: string;
  /** What is kept of it. */
  readonly kept: string;
  /** The lines that did not fit. */
  readonly torn: readonly string[];
  /** The widths at which it says something else without colours. */
  readonly different: readonly number[];
}

/** Makes the screens of all cases, or of some. */
export async function* screens(names = Object.keys(CASES)): AsyncGenerator<Screens> {
  for (const name of names) {
    const one = CASES[name]!;
    const parts: string[] = [];
    const torn: string[] = [];
    const different: number[] = [];
    for (const columns of WIDTHS) {
      const coloured = await screenOf(one, columns, true);
      const plain = await screenOf(one, columns, false);
      parts.push(`${"-".repeat(columns)} ${columns} columns\n`, ...coloured.lines);
      torn.push(...coloured.torn, ...plain.torn);
      if (plain.lines.join() !== unmarked(coloured.lines.join())) different.push(columns);
    }
    yield { name, kept: parts.join(""), torn, different };
  }
}

function unmarked(text: string): string {
  return text.replaceAll(/\{(\/|[a-z ]+)\}/g, "").replaceAll(/ +\n/g, "\n");
}

async function screenOf(one: ScreenCase, columns: number, colours: boolean) {
  await using folder = await Folder.make();
  using screen = new TerminalScreen({ columns, rows: ROWS });
  if ("text" in one) {
    const ink = colours ? colouredInk() : PLAIN;
    const text = withStatusInk(await one.text({ ...PAGE, columns, ink }), ink);
    await screen.write([...fitted(text, columns)].join(""));
  } else {
    for (const line of one.lines) await writeLine(screen, line, columns, colours, folder.path);
  }
  return {
    torn: screen.torn.filter((line) => !isCopied(line)),
    lines: screen.lines().map((line) => `${line}\n`),
  };
}

async function writeLine(
  screen: TerminalScreen,
  line: string,
  columns: number,
  colours: boolean,
  folder: string,
): Promise<void> {
  const isLossy = line.startsWith("! ");
  const words = line.replace(/^! /, "").split(" ");
  const home = Deno.cwd();
  Deno.chdir(folder);
  try {
    const { text, status } = await atTerminal(words, {
      columns,
      rows: ROWS,
      colours,
      ...(isLossy ? { world: { openKernel: lossyKernel } } : {}),
    });
    const typed = fittedLine(`$ dirtyring ${words.join(" ")}`, columns);
    await screen.write(`${typed}\n${text}[${status}]\n\n`);
  } finally {
    Deno.chdir(home);
  }
}
