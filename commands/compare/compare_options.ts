// Options of `dirtyring compare` and of commands that compare their own result, and the exit status
// of these.
import { type Option, parsePath } from "../../cli/option.ts";
import { EXIT } from "../../host/errors.ts";
import type { Compared } from "./compare_result.ts";

/** How much a figure may be worse unless it is said, as a fraction. */
export const FAIL_ABOVE = 0.1;
/** The most that can be said. */
const MOST_PERCENT = 10_000;

/** The option for how much a figure may be worse; its value is a fraction. */
export const failAboveOption: Option<number> = {
  value: "PERCENT",
  help: "how much worse a figure may be before it counts: a time above 110 % of the base's, or a " +
    "throughput below 90 % of it; only where the difference is beyond the spread of both",
  fallback: FAIL_ABOVE,
  fallbackText: "10%",
  parse(text) {
    const parts = /^(\d+(?:\.\d+)?)%$/.exec(text);
    const percent = Number(parts?.[1] ?? NaN);
    if (percent <= MOST_PERCENT) return percent / 100;
    throw new SyntaxError(`expected a percentage (10%, 2.5%), from 0% to ${MOST_PERCENT}%`);
  },
};

/**
 * Makes the option that names a result with which a command compares its own.
 *
 * @param help What it does; what a file must be is added.
 */
export function baselineOption(help: string): Option<string | undefined> {
  return {
    value: "FILE",
    help: `${help}: FILE is what the same command wrote with --format json; - is standard input`,
    fallback: undefined,
    fallbackText: "none",
    completes: { path: "file" },
    file: (path) => path === undefined ? null : { path, use: "read" },
    parse: parsePath("file"),
  };
}

/**
 * The exit status of a command that compared its result.
 *
 * @param own The status without the comparison.
 * @returns 1 if something got worse, otherwise `own`.
 */
export function comparedStatus(own: number, { comparison }: Compared<object>): number {
  return comparison === undefined || comparison.ok ? own : EXIT.BROKEN;
}
