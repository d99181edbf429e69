// What the exit statuses mean: the one table that help prints, and that README.md holds. By the rule of
// 2 and 3, a value that is wrong whatever the kernel is 2, and one that this kernel refuses is 3.

import type { Topic } from "./topic.ts";

/** Exit statuses with a common meaning. */
export interface Status {
  /** The statuses, in ascending order. */
  readonly numbers: readonly number[];
  /** What they mean. */
  readonly meaning: string;
}

/** The exit statuses of every command. */
export const STATUSES: readonly Status[] = [
  {
    numbers: [0],
    meaning: "done, and all that was checked holds",
  },
  {
    numbers: [1],
    meaning:
      "something checked does not hold: a failed check, an answer that differs from what is " +
      "documented, a lost page, a problem that the kernel reported in its log, something that got worse " +
      "than before",
  },
  {
    numbers: [2],
    meaning: "the command line, or a file or a value in it, is wrong, whatever the kernel",
  },
  {
    numbers: [3],
    meaning:
      "this kernel refused what was asked (a ring's size, a number of vCPUs or slots) or failed a " +
      "call that was needed; the guest ended in an unexpected exit, or neither stops nor makes a store " +
      "any more; file descriptors, memory, threads or the disk ran out: the line names the limit; " +
      "--stores were not made in time",
  },
  {
    numbers: [4],
    meaning: "this host cannot do it: no /dev/kvm, no permission, no dirty ring, no Deno",
  },
  {
    numbers: [70],
    meaning: "a defect of dirtyring itself",
  },
  {
    numbers: [125],
    meaning: "with --kernel: that kernel did not boot, panicked, hung or ran out of time",
  },
  {
    numbers: [129, 130, 143],
    meaning: "interrupted (SIGHUP, SIGINT, SIGTERM); what takes long prints what it gathered first",
  },
  {
    numbers: [141],
    meaning: "the reader of the output went away before all was done",
  },
];

/** The exit statuses with `--bisect`, as `git bisect run` reads them. */
export const BISECT_STATUSES: readonly (readonly [statuses: string, meaning: string])[] = [
  ["0", "good: all that could be asked holds"],
  [
    "1",
    "bad: a check failed or was out of time, fuzz found a mismatch, or the kernel reported a problem",
  ],
  [
    "125",
    "untested, so that git takes another commit: nothing could be asked, the kernel was not built, did not " +
    "boot, panicked or hung, refused a call that was needed, or a defect of dirtyring itself",
  ],
  [
    "129",
    "the command line is wrong; it would be so for each commit, so that this ends the bisection",
  ],
  ["129, 130, 141, 143", "interrupted, or the output was closed: this ends the bisection, too"],
];

/** `dirtyring help statuses` */
export const statuses: Topic = {
  parts: [
    { rows: STATUSES.map(({ numbers, meaning }) => [numbers.join(", "), meaning]) },
    "A value that is wrong whatever the kernel is 2; one that this kernel refuses is 3, be it a ring's size " +
    "or a number of vCPUs. 4 is what kselftest calls a skip.",
    { title: "with check --bisect and fuzz --bisect, for git bisect run", rows: BISECT_STATUSES },
  ],
};
