import { printableText } from "./printable.ts";

/**
 * The escape sequences of a redrawn frame: clear to the end of the line, clear below, and go up to
 * its first line.
 */
// deno-lint-ignore no-control-regex
const OWN = /\x1b\[(?:K(?=\n)|J|(\d{1,3})A\r)/g;
/** The beginning of such a sequence, at the end of a text. */
// deno-lint-ignore no-control-regex
const BEGUN = /\x1b(?:\[(?:K|\d{0,3}|\d{1,3}A)?)?$/;
const ESCAPE = "\x1b";

/**
 * Filters the text for a terminal: lines, and the frames that `live` redraws. A frame may go up
 * over its own lines only, so that not even a machine that draws frames can overwrite other output.
 */
export class TerminalText {
  /** Lines of the current frame: the cursor may go up that many. */
  #lines = 0;
  #held = "";

  /**
   * Filters a text.
   *
   * @param text Lines or frames, or a part of them.
   * @returns What can be printed now, with all other control characters escaped. A sequence that
   * may be incomplete is held back.
   */
  pass(text: string): string {
    const all = this.#held + text;
    this.#held = BEGUN.exec(all)?.[0] ?? "";
    const whole = this.#held === "" ? all : all.slice(0, -this.#held.length);
    if (!whole.includes(ESCAPE)) return printableText(whole);
    let passed = "";
    let at = 0;
    for (const found of whole.matchAll(OWN)) {
      passed += printableText(whole.slice(at, found.index));
      at = found.index + found[0].length;
      passed += this.#isOwn(found[0], Number(found[1] ?? 0)) ? found[0] : printableText(found[0]);
    }
    return passed + printableText(whole.slice(at));
  }

  /** Returns what was held back, escaped, since the sequence was not completed. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return printableText(held);
  }

  #isOwn(sequence: string, up: number): boolean {
    if (sequence.endsWith("K")) this.#lines++;
    if (!sequence.endsWith("\r")) return true;
    const isOwn = up <= this.#lines;
    if (isOwn) this.#lines = 0;
    return isOwn;
  }
}
