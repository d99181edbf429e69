import { EXIT } from "./errors.ts";
import type { KernelFacts, Result } from "./facts.ts";
import type { InterruptSignal } from "./interrupt.ts";

/** A kernel that a command ran on, in a VM of its own, and what came of it. */
export interface KernelRun<Report extends Result = Result> {
  /** Its name beside the others: short, and no two have the same. */
  readonly label: string;
  /** The file or the tree, as given. */
  readonly kernel: string;
  /** Its arguments, as given; empty where none were. */
  readonly kernelArgs: string;
  /** The VM's processor, `"amd"` or `"intel"`; `null` where none was chosen. */
  readonly cpu: string | null;
  /** The exit status of the command in its VM; 125 where the VM failed. */
  readonly status: number;
  /** What the command found, also where it did not come to its end; `null` where it told nothing. */
  readonly report: Report | null;
  /** Why there is no report, or no whole one, in a line; `null` where there is one. */
  readonly problem: string | null;
  /** The last lines of the kernel's console, where the VM failed. */
  readonly console: readonly string[];
}

/** A run before it is known what it stands beside. */
export type UnlabelledRun<Report extends Result> = Omit<KernelRun<Report>, "label">;

/** What results of several kernels have in common. */
export interface KernelRuns<Report extends Result> {
  /** The kernels, as they were given. */
  readonly kernels: readonly KernelRun<Report>[];
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether each kernel's exit status is 0, and nothing was interrupted. */
  readonly ok: boolean;
}

/**
 * Puts what kernels came to beside each other.
 *
 * @param runs The kernels, as they were given.
 * @param interrupted The signal that ended it early, or `null`.
 * @returns The kernels with their labels, and whether all is well.
 */
export function kernelRuns<Report extends Result>(
  runs: readonly UnlabelledRun<Report>[],
  interrupted: InterruptSignal | null,
): KernelRuns<Report> {
  const labels = kernelLabels(runs);
  return {
    kernels: runs.map((run, n) => ({ label: labels[n]!, ...run })),
    interrupted,
    ok: interrupted === null && runs.every(({ status }) => status === 0),
  };
}

/** A VM that failed, a defect of this program, a wrong value, a refused call, a closed pipe, a host that cannot. */
const WORST_FIRST: readonly number[] = [
  ...[EXIT.MACHINE, EXIT.DEFECT, EXIT.USAGE, EXIT.KERNEL, EXIT.CLOSED_PIPE, EXIT.HOST],
];

/**
 * The exit status of a command that ran on several kernels: 1 where a kernel failed, whatever became of the others;
 * otherwise that of an interrupt, whose effects the others may be; otherwise 125 where a VM failed; otherwise the
 * first of 70, 2, 3, 141 and 4 that there is, or the greatest of what else there is; 0 where all is well.
 *
 * @example
 * ```ts
 * import { kernelsStatus } from "./kernel_run.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(kernelsStatus([0, 125, 1], 130), 1);
 * assertEquals(kernelsStatus([4, 0, 125], 0), 125);
 * ```
 *
 * @param statuses The exit status of each.
 * @param interrupted That of the interrupt which ended it early; 0 where there was none.
 * @returns The exit status.
 */
export function kernelsStatus(statuses: readonly number[], interrupted: number): number {
  if (statuses.includes(EXIT.BROKEN)) return EXIT.BROKEN;
  if (interrupted !== 0) return interrupted;
  return WORST_FIRST.find((status) => statuses.includes(status)) ?? Math.max(0, ...statuses);
}

/** What a kernel is named by. */
export interface NamedKernel {
  /** The file or the tree, as given. */
  readonly kernel: string;
  /** Its arguments. */
  readonly kernelArgs: string;
  /** The VM's processor, or `null`. */
  readonly cpu: string | null;
  /** What it told of itself, or `null`. */
  readonly report: { readonly kernel: Pick<KernelFacts, "release"> } | null;
}

/**
 * Names kernels that stand beside each other: by their releases; files of one release, and those that told none, by
 * the ends of their paths. Where one kernel is there more than once, arguments and processor follow as far as they
 * differ, and a number where nothing does.
 *
 * @example
 * ```ts
 * import { kernelLabels } from "./kernel_run.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const run = { kernelArgs: "", cpu: null, report: null };
 * assertEquals(
 *   kernelLabels([
 *     { ...run, kernel: "a/bzImage" },
 *     { ...run, kernel: "b/bzImage" },
 *     { ...run, kernel: "b/bzImage", kernelArgs: "kvm_amd.npt=0" },
 *   ]),
 *   ["a/bzImage", "b/bzImage", "b/bzImage kvm_amd.npt=0"],
 * );
 * ```
 *
 * @returns A label for each, no two the same.
 */
export function kernelLabels(runs: readonly NamedKernel[]): string[] {
  const paths = runs.map(({ kernel }) => pathOf(kernel));
  const files = paths.map((path) => path.join("/"));
  // A kernel that did not boot has the release of one that did, of the same file.
  const releases = files.map((file) =>
    runs.find(({ report }, n) => report !== null && files[n] === file)?.report?.kernel.release ??
      null
  );
  const names = runs.map((_, n) => {
    const release = releases[n]!;
    const isOnly = release !== null &&
      files.every((file, m) => file === files[n] || releases[m] !== release);
    return isOnly ? release : tailOf(paths[n]!, paths);
  });
  return numbered(runs.map((run, n) => {
    const same = runs.filter((_, m) => names[m] === names[n]);
    return [names[n]!, ...ownWords(run, same), ...ownCpu(run, same)].join(" ");
  }));
}

/** Where a tree has the kernel that was built in it. */
const BUILT = "/arch/x86/boot/bzImage";

function pathOf(kernel: string): string[] {
  const tree = kernel.endsWith(BUILT) ? kernel.slice(0, -BUILT.length) : kernel;
  const parts = tree.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? [kernel] : parts;
}

// The shortest end that no other path has.
function tailOf(path: readonly string[], paths: readonly (readonly string[])[]): string {
  const end = (of: readonly string[], length: number) => of.slice(-length).join("/");
  const whole = path.join("/");
  const others = paths.filter((other) => other.join("/") !== whole);
  for (let length = 1; length < path.length; length++) {
    const tail = end(path, length);
    if (others.every((other) => end(other, length) !== tail)) return tail;
  }
  return whole;
}

// Arguments that not all of them have.
function ownWords({ kernelArgs }: NamedKernel, same: readonly NamedKernel[]): string[] {
  const words = (args: string) => args.split(/\s+/).filter((word) => word !== "");
  const all = same.map((one) => words(one.kernelArgs));
  return words(kernelArgs).filter((word) => !all.every((others) => others.includes(word)));
}

function ownCpu({ cpu }: NamedKernel, same: readonly NamedKernel[]): string[] {
  return cpu === null || same.every((one) => one.cpu === cpu) ? [] : [cpu];
}

function numbered(labels: readonly string[]): string[] {
  const taken = new Set<string>();
  return labels.map((label) => {
    let free = label;
    for (let n = 2; taken.has(free); n++) free = `${label} (${n})`;
    taken.add(free);
    return free;
  });
}
