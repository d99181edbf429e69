const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** What XML can write, and what is written as a reference: a terminal may show the file as it is. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gv;

/**
 * A text as XML. That has no way at all to write most control characters, half a surrogate pair, and two others; what
 * else a terminal might obey is a reference.
 *
 * @param text The text.
 * @returns It, escaped for an element and for an attribute.
 */
export function escapeXml(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll(/[&<>"\t\n\r]/g, (one) => ESCAPES[one]!)
    .replaceAll(UNPRINTABLE, (one) => `&#${one.codePointAt(0)};`);
}
