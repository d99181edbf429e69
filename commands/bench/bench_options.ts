import { PAGE_SIZE } from "../../ffi/linux.ts";
import type { GuestName } from "../../guest/guest.ts";
import type { Pattern } from "../../guest/pattern.ts";
import { ValueError } from "../../host/errors.ts";
import { type Plan, planLab } from "../../machine/plan.ts";

/** The sweeps, in the order in which they are made. */
export const SWEEPS = ["cost", "ring-size", "pattern", "sort"] as const;

/** One of the things that a bench varies. */
export type Sweep = typeof SWEEPS[number];

/** What a person asked a bench to be. */
export interface BenchOptions {
  /** The guest program. */
  readonly guest: GuestName;
  /** Sizes of logged guest memory in bytes, for the cost sweep. */
  readonly memory: readonly number[];
  /** Dirty pages, for the cost sweep. */
  readonly pages: readonly number[];
  /** The order of pages in the cost and the ring-size sweep. */
  readonly pattern: Pattern;
  /** Seed of the random patterns. */
  readonly seed: number;
  /** Ring size in bytes, where it is not what is varied. */
  readonly ringBytes: number;
  /** The sweeps. */
  readonly sweep: readonly Sweep[];
  /** Repetitions of everything; `undefined` goes by the time that they take. */
  readonly repetitions: number | undefined;
}

/** A guest memory size and a number of dirty pages. */
export interface CellSize {
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /** Pages that are stored to. */
  readonly dirtyPages: number;
}

/** The part of the options that a VM is planned from. */
export type GuestOptions = Pick<BenchOptions, "guest" | "pattern" | "seed" | "ringBytes">;

/**
 * A VM of one vCPU with one logged slot, each of whose pages is stored to once a round.
 *
 * @param options The guest, and in which order.
 * @param size Its memory and its stores.
 * @throws {ValueError} Where a value cannot be.
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
 * The cells of the cost sweep: each size of memory with each number of dirty pages, but for those that are more
 * than the memory has, or than the pattern names.
 *
 * @returns The cells, from the smallest memory on.
 * @throws {ValueError} Where no cell is left, or one cannot be.
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

// Whether as many different pages are stored to. A random order of a large memory takes a while to make, and
// repeats no page.
function isFilled(options: BenchOptions, cell: CellSize): boolean {
  if (cell.dirtyPages > cell.memoryBytes / PAGE_SIZE) return false;
  const isRandom = options.pattern.name === "random";
  const pattern: Pattern = isRandom ? { name: "sequential", parameter: 0 } : options.pattern;
  const { sequence } = planBench({ ...options, pattern }, cell);
  return new Set(sequence).size === cell.dirtyPages;
}
