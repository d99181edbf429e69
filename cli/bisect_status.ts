import { flag, type Option } from "./option.ts";

const ABORT = 129;
const SKIP = 125;
const SIGNALS = 128;

/** The option of commands whose status {@linkcode bisectStatus} turns into an answer for git. */
export const bisectOption: Option<boolean> = flag(
  "answer for git bisect run: 0 good, 1 bad, 125 untested, from 128 on an end",
);

/**
 * An exit status as `git bisect run` takes it: 0 the commit is good, 1 bad, 125 it cannot be tested, and from 128 on
 * the bisection ends. Whatever says nothing about the kernel is 125: a host without KVM, a call that was refused, a
 * defect of this program. A wrong command line would be wrong for each commit: all would be skipped, after a boot each,
 * so that it ends the bisection, with the status of git's own commands.
 *
 * @example
 * ```ts
 * import { bisectStatus } from "./bisect_status.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 1, 2, 3, 4, 70, 130].map(bisectStatus), [0, 1, 129, 125, 125, 125, 130]);
 * ```
 *
 * @param status One of README.md, "Exit statuses".
 * @returns The status for git.
 */
export function bisectStatus(status: number): number {
  if (status === 0 || status === 1 || status >= SIGNALS) return status;
  return status === 2 ? ABORT : SKIP;
}
