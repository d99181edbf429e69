// Text from outside that could control a terminal, and a function that finds it unescaped in
// output.

/** A forged verdict, and one character of each kind that a terminal may not just display. */
export const HOSTILE =
  "a\nok: forged\r\x1b[2J\x07\x7f\u0085\u009b31m\u061c\u200f\u202e\u2066\u2028" +
  "ok: forged\u2029\ufeff\\";
/** The same for a string in JSON, which can also contain half of a surrogate pair. */
export const HOSTILE_IN_JSON = `${HOSTILE}\ud800`;
/** The escaped form of a part of it, which has to be in the output. */
export const SEEN = "\\u001b[2J";

/** A value that is longer than any output should show. */
export const LONG = "x".repeat(100_000);

const RAW = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/gv;
/**
 * The longest line: `cut()` of text/printable.ts leaves 4000 characters, and an escape takes six
 * each.
 */
const MOST = 24_000;

/**
 * Describes what is in an output and should not reach a terminal.
 *
 * @param text The output.
 * @param verdict The one line that may begin with `ok:`, or its beginning.
 * @returns A description of each problem.
 */
export function unclean(text: string, verdict: string | null = null): string[] {
  const lines = text.split("\n");
  const forged = lines.filter((line) =>
    /^ok\b/.test(line) && !(verdict !== null && line.startsWith(verdict))
  );
  return [
    ...new Set([...text.matchAll(RAW)].map(([one]) => `U+${one.charCodeAt(0).toString(16)}`)),
    ...forged.map((line) => `a forged line: ${line}`),
    ...lines.filter((line) => line.length > MOST).map(({ length }) => `a line of ${length}`),
  ];
}
