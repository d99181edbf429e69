import { PAGE_SIZE } from "../../ffi/linux.ts";
import type { GuestName } from "../../guest/guest.ts";
import type { Pattern } from "../../guest/pattern.ts";
import { ValueError } from "../../host/errors.ts";
import { type Plan, planLab } from "../../machine/plan.ts";

/** The sweeps, in the order in which they are made. */
export const SWEEPS = ["cost", "ring-size", "pattern", "sort"] as const;

/** A series of measurements that varies one thing. */
export type Sweep = typeof SWEEPS[number];

/** What a user asks a bench to measure. */
export interface BenchOptions {
  /** The guest program. */
  readonly guest: GuestName;
  /** Sizes of logged guest memory in bytes, for the cost sweep. */
  readonly memory: readonly number[];
  /** Numbers of dirty pages, for the cost sweep. */
  readonly pages: readonly number[];
  /** The order of pages in the sweeps cost and ring-size. */
  readonly pattern: Pattern;
  /** Seed of the random patterns. */
  readonly seed: number;
  /** Ring size in bytes, for sweeps that do not vary it. */
  readonly ringBytes: number;
  /** The sweeps. */
  readonly sweep: readonly Sweep[];
  /** Repetitions of every measurement; if `undefined`, as many as fit into a few seconds. */
  readonly repetitions: number | undefined;
  /**
   * Whether times are wanted; unless told they are. Without them nothing warms up, and one
   * repetition is enough.
   */
  readonly isTimed?: boolean;
}

/** A size of guest memory and a number of dirty pages. */
export interface CellSize {
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /** How many pages are stored to. */
  readonly dirtyPages: number;
}

/** The options that a VM is planned from. */
export type GuestOptions = Pick<BenchOptions, "guest" | "pattern" | "seed" | "ringBytes">;

/**
 * Plans a VM with one vCPU and one logged slot. Each of its pages is stored to once a round.
 *
 * @throws {ValueError} If a value is impossible.
 */
export function planBench(options: GuestOptions, { memoryBytes, dirtyPages }: CellSize): Plan {
  const { guest, pattern, seed, ringBytes } = options;
  return planLab({
    guest,
    pattern,
    seed,
    ringBytes,
    vcpus: 1,
    slots: 1,
    rounds: 1,
    memory: memoryBytes,
    pages: dirtyPages,
  });
}

/**
 * Lists the cells of the cost sweep: each size of memory with each number of dirty pages. Cells
 * with more dirty pages than the memory has, or the pattern names, are left out.
 *
 * @returns The cells, in ascending order of memory.
 * @throws {ValueError} If no cell is left, or one is impossible.
 */
export function cellsOf(options: BenchOptions): CellSize[] {
  const inOrder = (values: readonly number[]) => values.toSorted((a, b) => a - b);
  const cells = inOrder(options.memory).flatMap((memoryBytes) =>
    inOrder(options.pages).map((dirtyPages) => ({ memoryBytes, dirtyPages }))
  ).filter((cell) => isFilled(options, cell));
  if (cells.length > 0) return cells;
  throw new ValueError(
    { pages: options.pages.join(), memory: options.memory.join(), pattern: options.pattern.name },
    (name) =>
      `${name("pages")} ${options.pages}: more different pages than ${
        name("memory")
      } has, or than ` +
      `${name("pattern")} ${options.pattern.name} stores to; expected fewer`,
  );
}

// Whether that many different pages are stored to. A random order of a large memory takes long to
// make but never repeats a page, so a sequential one is checked in its place.
function isFilled(options: BenchOptions, cell: CellSize): boolean {
  if (cell.dirtyPages > cell.memoryBytes / PAGE_SIZE) return false;
  const isRandom = options.pattern.name === "random";
  const pattern: Pattern = isRandom ? { name: "sequential", parameter: 0 } : options.pattern;
  const { sequence } = planBench({ ...options, pattern }, cell);
  return new Set(sequence).size === cell.dirtyPages;
}
