// A text as a word of a shell.
import { printable } from "./printable.ts";

/** A text in single quotes, as sh, bash and zsh read it. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A text as one word on a line for a shell, quoted where it must be. Characters that are no text
 * stand as `$'\n'`, which bash and zsh read: a line stays a line.
 *
 * @example
 * ```ts
 * import { shellWord } from "./shell_word.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["--ring=256", "it's", "a\nb"].map(shellWord), ["--ring=256", "'it'\\''s'", "$'a\\nb'"]);
 * ```
 */
export function shellWord(text: string): string {
  if (/^[\w./:=,@%+-]+$/.test(text)) return text;
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/v.test(text)) return shellQuoted(text);
  return `$'${printable(text, Infinity).replaceAll("'", "\\'")}'`;
}
