// A terminal: what a person sees of what a program printed.
import headless from "./xterm.ts";

/** A terminal's size. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** The colours of a cell, as markup. */
const COLOURS: ReadonlyMap<number, string> = new Map([
  [1, "red"],
  [2, "green"],
  [3, "yellow"],
  [6, "cyan"],
]);

/** A terminal that interprets what is written to it. */
export class TerminalScreen {
  readonly #terminal: InstanceType<typeof headless.Terminal>;

  /** Opens an empty one. */
  constructor({ columns, rows }: ScreenSize) {
    this.#terminal = new headless.Terminal({
      cols: columns,
      rows,
      scrollback: 10_000,
      allowProposedApi: true,
      convertEol: true,
    });
  }

  /** Writes to it, as a program does. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve) => this.#terminal.write(text, resolve));
  }

  /** Makes it larger or smaller, as a person does with a window. */
  resize({ columns, rows }: ScreenSize): void {
    this.#terminal.resize(columns, rows);
  }

  /** The beginnings of the lines that it broke, since they did not fit. */
  get torn(): string[] {
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, n) => active.getLine(n)!);
    return lines.filter((line, n) => !line.isWrapped && lines[n + 1]?.isWrapped)
      .map((line) => line.translateToString(true));
  }

  /**
   * What it shows, with what has scrolled away; colours are markup: `{red}FAIL{/}`.
   *
   * @returns Lines without spaces and blank lines at their ends.
   */
  lines(): string[] {
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, n) => this.#line(n));
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  #line(n: number): string {
    const line = this.#terminal.buffer.active.getLine(n)!;
    let text = "";
    let style = "";
    for (let x = 0; x < line.length; x++) {
      const cell = line.getCell(x)!;
      if (cell.getWidth() === 0) continue; // the second half of a wide character
      const now = [
        ...(cell.isBold() ? ["bold"] : []),
        ...(cell.isDim() ? ["dim"] : []),
        ...(cell.isFgPalette() ? [COLOURS.get(cell.getFgColor()) ?? "other"] : []),
      ].join(" ");
      if (now !== style) text += (style === "" ? "" : "{/}") + (now === "" ? "" : `{${now}}`);
      style = now;
      text += cell.getChars() || " ";
    }
    return (text + (style === "" ? "" : "{/}")).trimEnd();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#terminal.dispose();
  }
}
