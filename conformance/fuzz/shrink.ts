// Shrinks a fuzz program that shows a mismatch.
import {
  FUZZ_RANGES,
  type FuzzOp,
  type FuzzProgram,
  type FuzzRange,
  unsafeReason,
} from "./program.ts";

/** Returns whether a smaller program still shows what the original showed. */
export type StillDoes = (program: FuzzProgram) => Promise<boolean>;

/** The most candidates that are tried. */
const TRIALS = 3000;
const SMALLEST_RING = 4096;

/**
 * Shrinks a program: leaves out operations, shortens lists and reduces numbers, as long as the
 * program still shows the same.
 *
 * @example
 * ```ts
 * import { shrinkProgram } from "./shrink.ts";
 * import { generateProgram } from "./generate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const hasReset = (ops: readonly { do: string }[]) => ops.some((op) => op.do === "reset");
 * const shrunk = await shrinkProgram(
 *   generateProgram(1, 0),
 *   ({ ops }) => Promise.resolve(hasReset(ops)),
 * );
 * assertEquals(shrunk.ops, [{ do: "reset", argument: 0 }]);
 * ```
 *
 * @param stillDoes Tests a candidate. It may return false in order to end the search.
 * @param mostTrials The most candidates that are tried.
 * @returns The smallest program found.
 */
export async function shrinkProgram(
  program: FuzzProgram,
  stillDoes: StillDoes,
  mostTrials: number = TRIALS,
): Promise<FuzzProgram> {
  let best = program;
  let trials = 0;
  const attempt = async (candidate: FuzzProgram): Promise<boolean> => {
    if (trials >= mostTrials) return false;
    trials++;
    const does = await stillDoes(candidate);
    if (does) best = candidate;
    return does;
  };
  let before: FuzzProgram;
  do {
    before = best;
    await shorten(best.ops, 0, (ops) => attempt({ ...best, ops }));
    for (let n = 0; n < best.ops.length; n++) await simplify(n, () => best, attempt);
    for (const smaller of smallerHeads(best)) await attempt({ ...best, ...smaller });
  } while (best !== before);
  return best;
}

// Removes smaller and smaller pieces from a list.
async function shorten<T>(
  list: readonly T[],
  least: number,
  attempt: (list: readonly T[]) => Promise<boolean>,
): Promise<void> {
  let left = list;
  for (let size = Math.max(1, left.length >> 1); size >= 1; size >>= 1) {
    // Start at the end: what comes after the difference can go first.
    for (let at = left.length - size; at > -size && left.length > least; at -= size) {
      const shorter = [...left.slice(0, Math.max(0, at)), ...left.slice(at + size)];
      if (await attempt(shorter)) left = shorter;
    }
  }
}

function* smallerHeads({ ringBytes, vcpus, logProgram }: FuzzProgram) {
  if (logProgram > 0) yield { logProgram: 0 };
  for (let fewer = 0; fewer < vcpus; fewer++) yield { vcpus: fewer };
  if (ringBytes > SMALLEST_RING) yield { ringBytes: SMALLEST_RING };
}

// Reduces the numbers of an operation, one after another.
async function simplify(
  at: number,
  current: () => FuzzProgram,
  attempt: (program: FuzzProgram) => Promise<boolean>,
): Promise<void> {
  const change = (fields: Readonly<Record<string, number | readonly number[]>>) => {
    const { ops } = current();
    // The fields are those of the operation, and their numbers are in range.
    const op = { ...ops[at], ...fields } as FuzzOp;
    if (unsafeReason(op) !== null) return Promise.resolve(false);
    return attempt({ ...current(), ops: ops.with(at, op) });
  };
  const op = current().ops[at];
  if (op?.do === "store") await shorten(op.gfns, 1, (gfns) => change({ gfns }));
  if (op === undefined) return;
  const ranges: Readonly<Record<string, FuzzRange>> = FUZZ_RANGES[op.do];
  for (const [name, [least]] of Object.entries(ranges)) {
    if (name === "gfns") continue;
    // This name is a numeric field of the operation.
    const value = () => {
      const fields: Readonly<Record<string, unknown>> = { ...current().ops[at] };
      return Number(fields[name]);
    };
    if (value() === least || await change({ [name]: least })) continue;
    // Halve the distance to the minimum while that works, then go down one by one.
    while (value() > least + 1 && await change({ [name]: least + ((value() - least) >> 1) }));
    while (value() > least + 1 && await change({ [name]: value() - 1 }));
  }
}
