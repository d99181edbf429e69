import { printableText } from "./printable.ts";
import { STYLE_BEGUN, STYLED } from "./styled.ts";

/**
 * The escape sequences of a redrawn frame: clear to the end of the line, clear below, and go up to
 * its first line.
 */
const FRAME = "\\x1b\\[(?:K(?=\\n)|J|(\\d{1,3})A\\r)";
/** The beginning of such a sequence, at the end of a text. */
const FRAME_BEGUN = "\\x1b(?:\\[(?:K|\\d{0,3}|\\d{1,3}A)?)?$";
const NOTHING = "[^\\s\\S]";
const ESCAPE = "\x1b";

/** What an output obeys beside lines of text. */
export interface Obeyed {
  /** The frames that `live` redraws. */
  readonly frames: boolean;
  /** Colours. */
  readonly colours: boolean;
}

/**
 * Filters the text for a terminal: lines, the frames that `live` redraws, and the colours of this
 * program. A frame may go up over its own lines only, so that not even a machine that draws frames
 * can overwrite other output; a colour ends on its line, so that none runs on.
 */
export class TerminalText {
  readonly #own: RegExp;
  readonly #begun: RegExp;
  /** Lines of the current frame: the cursor may go up that many. */
  #lines = 0;
  #held = "";

  /** Makes a filter, which has seen no text yet. */
  constructor({ frames, colours }: Obeyed) {
    const either = (frame: string, style: string) =>
      [...(frames ? [frame] : []), ...(colours ? [style] : [])].join("|") || NOTHING;
    this.#own = new RegExp(either(FRAME, STYLED), "g");
    this.#begun = new RegExp(either(FRAME_BEGUN, STYLE_BEGUN));
  }

  /**
   * Filters a text.
   *
   * @param text Lines or frames, or a part of them.
   * @returns What can be printed now, with all other control characters escaped. A sequence that
   * may be incomplete is held back.
   */
  pass(text: string): string {
    const all = this.#held + text;
    if (!all.includes(ESCAPE)) {
      this.#held = "";
      return printableText(all);
    }
    this.#held = this.#begun.exec(all)?.[0] ?? "";
    const whole = this.#held === "" ? all : all.slice(0, -this.#held.length);
    let passed = "";
    let at = 0;
    for (const found of whole.matchAll(this.#own)) {
      passed += printableText(whole.slice(at, found.index));
      at = found.index + found[0].length;
      passed += this.#passedSequence(found[0], found[1]);
    }
    return passed + printableText(whole.slice(at));
  }

  /** Returns what was held back, escaped, since the sequence was not completed. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return printableText(held);
  }

  #passedSequence(sequence: string, up: string | undefined): string {
    if (sequence.endsWith("m")) return colouredText(sequence);
    return this.#isOwn(sequence, Number(up ?? 0)) ? sequence : printableText(sequence);
  }

  #isOwn(sequence: string, up: number): boolean {
    if (sequence.endsWith("K")) this.#lines++;
    if (!sequence.endsWith("\r")) return true;
    const isOwn = up <= this.#lines;
    if (isOwn) this.#lines = 0;
    return isOwn;
  }
}

// The text between the two sequences holds no third one, but may hold other characters.
function colouredText(text: string): string {
  const begin = text.indexOf("m") + 1;
  const end = text.lastIndexOf(ESCAPE);
  return text.slice(0, begin) + printableText(text.slice(begin, end)) + text.slice(end);
}
