// Results of one command on several kernels, each booted in a VM: their labels and their common
// exit status.
import { EXIT } from "./errors.ts";
import type { KernelFacts, Result } from "./facts.ts";
import type { InterruptSignal } from "./interrupt.ts";

/** A kernel on which a command ran, in a VM of its own, with the result. */
export interface KernelRun<Report extends Result = Result> {
  /** A short name, different from those of the other kernels. */
  readonly label: string;
  /** The file or the tree, as given. */
  readonly kernel: string;
  /** Its arguments, as given; empty if there were none. */
  readonly kernelArgs: string;
  /** The VM's processor, `"amd"` or `"intel"`; `null` if none was chosen. */
  readonly cpu: string | null;
  /** The exit status of the command in its VM; 125 if the VM failed. */
  readonly status: number;
  /** The command's report, even if it ended early; `null` if there is none. */
  readonly report: Report | null;
  /** Why there is no complete report, in one line; `null` if there is one. */
  readonly problem: string | null;
  /** The last lines of the kernel's console, if the VM failed. */
  readonly console: readonly string[];
}

/** A run before it is labelled: the label depends on the other runs. */
export type UnlabelledRun<Report extends Result> = Omit<KernelRun<Report>, "label">;

/** The common fields of results of several kernels. */
export interface KernelRuns<Report extends Result> {
  /** The kernels, as they were given. */
  readonly kernels: readonly KernelRun<Report>[];
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether each kernel's exit status is 0, and nothing was interrupted. */
  readonly ok: boolean;
}

/**
 * Combines the runs of several kernels.
 *
 * @param runs The kernels, as they were given.
 * @param interrupted The signal that ended it early, or `null`.
 * @returns The kernels with their labels, and whether all of them succeeded.
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

/** Exit statuses in the order of their precedence. */
const WORST_FIRST: readonly number[] = [
  ...[EXIT.MACHINE, EXIT.DEFECT, EXIT.USAGE, EXIT.KERNEL, EXIT.CLOSED_PIPE, EXIT.HOST],
];

/**
 * The exit status of a command that ran on several kernels. It is 1 if a check failed on any
 * kernel, whatever became of the others; otherwise the status of an interrupt, which may have
 * caused the other statuses; otherwise 125 if a VM failed; otherwise the first of 70, 2, 3, 141 and
 * 4 that occurs, or the greatest of the others; 0 if all succeeded.
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
 * @param interrupted The status of the interrupt that ended it early; 0 if there was none.
 * @returns The exit status.
 */
export function kernelsStatus(statuses: readonly number[], interrupted: number): number {
  if (statuses.includes(EXIT.BROKEN)) return EXIT.BROKEN;
  if (interrupted !== 0) return interrupted;
  return WORST_FIRST.find((status) => statuses.includes(status)) ?? Math.max(0, ...statuses);
}

/** The properties by which a kernel is named. */
export interface NamedKernel {
  /** The file or the tree, as given. */
  readonly kernel: string;
  /** Its arguments. */
  readonly kernelArgs: string;
  /** The VM's processor, or `null`. */
  readonly cpu: string | null;
  /** Its report, or `null`. */
  readonly report: { readonly kernel: Pick<KernelFacts, "release"> } | null;
}

/**
 * Names kernels that are shown together. A kernel is named by its release, or by the end of its
 * path if files share a release or its release is unknown. If a kernel occurs more than once, the
 * arguments and the processor that differ are appended, and a number if nothing differs.
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
 * @returns A label for each; all are different.
 */
export function kernelLabels(runs: readonly NamedKernel[]): string[] {
  const paths = runs.map(({ kernel }) => pathOf(kernel));
  const files = paths.map((path) => path.join("/"));
  // A kernel that did not boot takes the release of a run of the same file that did.
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

/** Where a kernel tree has its built image. */
const BUILT = "/arch/x86/boot/bzImage";

function pathOf(kernel: string): string[] {
  const tree = kernel.endsWith(BUILT) ? kernel.slice(0, -BUILT.length) : kernel;
  const parts = tree.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? [kernel] : parts;
}

// The shortest end of the path that no other path has.
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

// The arguments that not all of these runs have.
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
