import type { Random } from "../../guest/pattern.ts";
import { pick } from "./chance.ts";

/** A text that an attacker could choose. */
export type HostileText = string;

/** The beginning of a forged line. No line of the tool's output may begin with it. */
export const FORGED = "FORGED";

// Each has a special meaning to a terminal, a reader of logs, JSON, JavaScript or a path.
const TEXTS: readonly HostileText[] = [
  "\x1b[2J\x1b[H",
  "\x1b]0;title\x07",
  `a\n${FORGED} ok: all holds`,
  `a\r\n${FORGED}: no problem`,
  "done\rdirtyring: all is well",
  "\b\b\b\b",
  "\x7f",
  "\u009b31mred",
  "\u0085next line",
  "\u202egnp.exe",
  "\u2066isolated\u2069",
  `\u2028${FORGED}`,
  `\u2029${FORGED}`,
  "\u200f\u061c",
  "\ufeffBOM",
  "\ufffd\uffff",
  "\u{1f600}",
  "../../../etc/passwd",
  "/dev/null",
  "-",
  "--",
  "--output=x",
  "",
  " ",
  "%s%n%x",
  "$(id)",
  "`id`",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "<b>&amp;]]>",
  "a".repeat(300),
  "\u00e9".repeat(5000),
];

/** Picks a hostile text. */
export function hostileText(random: Random): HostileText {
  return pick(random, TEXTS);
}

/** One or two hostile texts, without NUL, for use as an argument of a program. */
export function hostileArgument(random: Random): HostileText {
  return hostileText(random) + (random(3) === 0 ? hostileText(random) : "");
}

/** Numbers at limits: of sign, of width, of exactness, and of the tool's own ranges. */
export const EDGES: readonly number[] = [
  ...[-1, -0, 0, 1, 2, 3, 7, 63, 64, 65, 255, 256, 4095, 4096, 4097, 65535, 65536, 65537],
  ...[2 ** 20, 2 ** 24, 2 ** 28, 2 ** 28 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32],
  ...[2 ** 36, 2 ** 40, 2 ** 40 + 4096, 2 ** 52, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, 1e308],
  ...[-(2 ** 31), -(2 ** 53), 0.5, 1e-7, 4096.5],
];

/** Picks a number at a limit. */
export function hostileNumber(random: Random): number {
  return pick(random, EDGES);
}
