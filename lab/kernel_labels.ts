import type { KernelFacts } from "./host.ts";

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
 * import { kernelLabels } from "./kernel_labels.ts";
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
 * @param runs The kernels.
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
