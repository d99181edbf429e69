// Folds the skipped tests in the output of `deno test`: hundreds may be skipped for the same
// reason.

// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[0-9;]*m/g;
const SKIPPED = /^.* \(skipped: (.*)\) \.\.\. ignored \([^()]*\)$/;
const HEADER = /^running \d+ tests? from /;
const SUMMARY = /^(ok|FAILED) \| \d+ passed/;
const COUNTS = ["passed", "failed", "ignored", "measured", "filtered out"] as const;

/**
 * Takes the output of Deno's reporter, piece by piece. It holds back the lines of skipped tests,
 * the headings of files that have no other tests, and Deno's last line: {@linkcode closing} prints
 * a summary of them.
 */
export class FoldedSkips {
  /** The number of skipped tests, by reason. */
  readonly reasons = new Map<string, number>();
  /** Deno's last line; `null` if there is none yet. */
  summary: string | null = null;
  /** The part of an incomplete line that has not been shown. */
  #rest = "";
  #header = "";
  #isBegun = false;

  /**
   * Takes a piece of the output.
   *
   * @param piece Text that may begin and end in the middle of a line.
   * @returns The text to show now.
   */
  take(piece: string): string {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop()!;
    let shown = lines.map((line) => this.#line(line)).join("");
    // Show the name of a test that runs at once; Deno writes its result on the same line later.
    if (/\.\.\.$/.test(plain(this.#rest)) && !this.#rest.includes("(skipped: ")) {
      shown += this.#shown(this.#rest);
      this.#rest = "";
      this.#isBegun = true;
    }
    return shown;
  }

  #line(line: string): string {
    if (this.#isBegun) {
      this.#isBegun = false;
      return `${line}\n`;
    }
    const text = plain(line);
    const reason = SKIPPED.exec(text)?.[1];
    if (reason !== undefined) this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    else if (SUMMARY.test(text)) this.summary = line;
    else if (HEADER.test(text)) this.#header = `${line}\n`;
    else if (text === "" && this.summary !== null) return ""; // closing() has one
    else if (text === "") {
      this.#header = ""; // the following lines belong to no file
      return "\n";
    } else return this.#shown(`${line}\n`);
    return "";
  }

  #shown(text: string): string {
    const header = this.#header;
    this.#header = "";
    return header + text;
  }
}

/**
 * The summary of all tests.
 *
 * @param runs The complete output of each part of the tests.
 * @param ms Milliseconds that all of them took.
 * @returns A line for each reason of skipped tests, and Deno's last line with the counts of all
 * parts. The last line is missing if a part has none, so that nobody takes a part for the whole.
 */
export function closing(runs: readonly FoldedSkips[], ms: number): string {
  const reasons = new Map<string, number>();
  for (const [reason, count] of runs.flatMap((run) => [...run.reasons])) {
    reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  const skips = [...reasons].map(([reason, count]) =>
    `${count} ${count === 1 ? "test" : "tests"} skipped: ${reason}\n`
  );
  const last = runs.map(({ summary }) => summary);
  const lines = last.filter((line) => line !== null);
  const text = skips.length === 0 ? "" : `${skips.join("")}\n`;
  if (lines.length < runs.length) return text;
  const [word] = (lines.find((line) => plain(line).startsWith("FAILED")) ?? lines[0]!).split(" | ");
  const counts = COUNTS.map((
    name,
  ) => [lines.reduce((n, line) => n + countOf(line, name), 0), name]);
  const shown = counts.filter(([count, name]) =>
    count !== 0 || name === "failed" || name === "passed"
  );
  return `${text}${[word, ...shown.map((count) => count.join(" "))].join(" | ")} (${
    timeText(ms)
  })\n`;
}

function countOf(summary: string, name: string): number {
  return Number(new RegExp(`\\| (\\d+) ${name}`).exec(plain(summary))?.[1] ?? 0);
}

function timeText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function plain(text: string): string {
  return text.replace(COLOUR, "");
}
