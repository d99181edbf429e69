import { printableText } from "./printable.ts";

/** The sequences of a frame that is drawn over: a line's end, what is below, and back to the frame's first line. */
// deno-lint-ignore no-control-regex
const OWN = /\x1b\[(?:K(?=\n)|J|(\d{1,3})A\r)/g;
/** What could become one of them with what is printed next. */
// deno-lint-ignore no-control-regex
const BEGUN = /\x1b(?:\[(?:K|\d{0,3}|\d{1,3}A)?)?$/;
const ESCAPE = "\x1b";

/**
 * What a terminal is given: lines, and the frames of `live` that are drawn over. A frame may go back over its own
 * lines alone, so that not even a machine that draws its own can write over what others printed.
 */
export class TerminalText {
  /** Lines of the frame that is being drawn: the cursor may go up as many. */
  #lines = 0;
  #held = "";

  /**
   * Takes what is to be printed.
   *
   * @param text Lines, frames, or a part of them.
   * @returns What may be printed by now: any other control character is escaped.
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

  /** What was held back, being the beginning of a sequence only. */
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
