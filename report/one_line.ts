/**
 * A text as one line that a terminal shows as it is: no line breaks, and no other control characters.
 *
 * @param text The text.
 * @returns The line.
 */
export function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(/\s*[\r\n]+\s*/g, "; ")
    .replaceAll(/[\p{Cc}\ufffd]/gu, "?");
}
