// What `deno test` prints, with the tests that are skipped folded: hundreds may have one reason.

// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[0-9;]*m/g;
const SKIPPED = /^.* \(skipped: (.*)\) \.\.\. ignored \([^()]*\)$/;
const HEADER = /^running \d+ tests? from /;
const SUMMARY = /^(ok|FAILED) \| \d+ passed/;

/**
 * Takes what Deno's reporter writes, piece by piece, and leaves out the lines of skipped tests and the headings of
 * files with no other. How many were skipped stands before Deno's last line, once for each reason.
 */
export class FoldedSkips {
  readonly #reasons = new Map<string, number>();
  /** A line whose end is still to come, but for what was handed on of it. */
  #rest = "";
  #header = "";
  #isBegun = false;

  /**
   * Takes a piece.
   *
   * @param piece Text, from anywhere to anywhere in a line.
   * @returns What is to be shown of it, and of what was held back before.
   */
  take(piece: string): string {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop()!;
    let shown = lines.map((line) => this.#line(line)).join("");
    // A test that runs has its name shown; Deno writes how it ended behind that.
    if (/\.\.\.$/.test(plain(this.#rest)) && !this.#rest.includes("(skipped: ")) {
      shown += this.#shown(this.#rest);
      this.#rest = "";
      this.#isBegun = true;
    }
    return shown;
  }

  /**
   * Takes the end.
   *
   * @returns What is left, and the skipped tests where Deno came to no last line.
   */
  end(): string {
    const rest = this.#rest === "" ? "" : this.#shown(this.#rest);
    this.#rest = "";
    return rest + this.#skips();
  }

  #line(line: string): string {
    const text = plain(line);
    if (this.#isBegun) {
      this.#isBegun = false;
      return `${line}\n`;
    }
    const reason = SKIPPED.exec(text)?.[1];
    if (reason !== undefined) {
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      return "";
    }
    if (HEADER.test(text)) {
      this.#header = `${line}\n`;
      return "";
    }
    // Blank lines, and what follows them, belong to no file.
    if (text === "") this.#header = "";
    return this.#shown(SUMMARY.test(text) ? `${this.#skips()}${line}\n` : `${line}\n`);
  }

  #shown(text: string): string {
    const header = this.#header;
    this.#header = "";
    return header + text;
  }

  #skips(): string {
    if (this.#reasons.size === 0) return "";
    const lines = [...this.#reasons].map(([reason, count]) =>
      `${count} ${count === 1 ? "test" : "tests"} skipped: ${reason}\n`
    );
    this.#reasons.clear();
    return `${lines.join("")}\n`;
  }
}

function plain(text: string): string {
  return text.replace(COLOUR, "");
}
