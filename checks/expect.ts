import { CheckFailure } from "./check_answer.ts";

/** A value that can be compared by its text: numbers, words, and lists of them. */
export type Plain = number | string | boolean | bigint | null | readonly Plain[];

function text(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(text).join(", ")}]`;
  return `${value}`;
}

/**
 * Holds what was seen against what is documented.
 *
 * @example
 * ```ts
 * import { expect } from "./expect.ts";
 * import { assertThrows } from "@std/assert";
 *
 * expect("entries in the ring", [1, 2], [1, 2]);
 * assertThrows(() => expect("count", 3, 4), Error, "count: expected 4, seen 3");
 * ```
 *
 * @param what What was asked, in words.
 * @param seen What was seen.
 * @param expected What is documented.
 * @throws {CheckFailure} Where they differ.
 */
export function expect(what: string, seen: Plain, expected: Plain): void {
  if (text(seen) !== text(expected)) throw new CheckFailure(what, text(expected), text(seen));
}

/**
 * The same where more than one answer is documented.
 *
 * @param what What was asked, in words.
 * @param seen What was seen.
 * @param allowed The documented answers.
 * @throws {CheckFailure} Where it is none of them.
 */
export function expectOneOf(what: string, seen: Plain, allowed: readonly Plain[]): void {
  if (allowed.some((one) => text(one) === text(seen))) return;
  throw new CheckFailure(what, allowed.map(text).join(" or "), text(seen));
}

/**
 * The same where a condition is documented, not a value.
 *
 * @param what What was asked, in words.
 * @param holds Whether it holds.
 * @param expected What is documented, in words.
 * @param seen What was seen.
 * @throws {CheckFailure} Where it does not.
 */
export function expectThat(what: string, holds: boolean, expected: string, seen: Plain): void {
  if (!holds) throw new CheckFailure(what, expected, text(seen));
}
