// The topic of `--kernel`.
import type { Rows, Topic } from "./topic.ts";

/**
 * `dirtyring help kernels`
 *
 * @param options The options for the machine, as help writes them.
 */
export function kernels(options: Rows["rows"]): Topic {
  return {
    parts: [
      "With --kernel any command asks another kernel than this host's: it is booted in a machine of its " +
      "own, the command runs there, and output, files and exit status are as if it ran here. No /dev/kvm " +
      "is needed; QEMU or Bochs is.",
      {
        rows: [
          ["dirtyring check --kernel bzImage", "a kernel that was just built"],
          ["dirtyring check --kernel /usr/src/linux", "the tree that it was built in"],
          [
            "dirtyring probe --kernel bzImage --vm-cpu intel",
            "on an Intel processor with PML, in software: minutes",
          ],
          ["dirtyring check --kernel OLD --kernel NEW", "two, side by side (check, fuzz, bench)"],
        ],
      },
      { title: "options", rows: options },
      "--kernel, --modules, --kernel-args and --vm-cpu may each be given once for all machines, or once " +
      "for each.",
    ],
  };
}
