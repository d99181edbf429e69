// Text from outside that a terminal would obey, and what finds it where it is printed as it is.

/** A forged verdict, and one of each kind that a terminal may take for more than a letter. */
export const HOSTILE =
  "a\nok: forged\r\x1b[2J\x07\x7f\u0085\u009b31m\u061c\u200f\u202e\u2066\u2028" +
  "ok: forged\u2029\ufeff\\";
/** The same in a string of JSON, which can hold half a surrogate pair, too. */
export const HOSTILE_IN_JSON = `${HOSTILE}\ud800`;
/** What is seen of it, wherever it is printed. */
export const SEEN = "\\u001b[2J";

/** More than anybody would read of a value. */
export const LONG = "x".repeat(100_000);

const RAW = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/gv;
/** The longest line: `cut()` of text/printable.ts leaves 4000 characters, an escape has six for one. */
const MOST = 24_000;

/**
 * What of a text would reach a terminal that should not, in words.
 *
 * @param text What was printed.
 * @param verdict The line that begins with `ok:` rightly, or the beginning of it.
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
