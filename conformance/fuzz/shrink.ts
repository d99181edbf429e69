import {
  FUZZ_RANGES,
  type FuzzOp,
  type FuzzProgram,
  type FuzzRange,
  unsafeReason,
} from "./program.ts";

/** Answers whether a program still does what it is shrunk for. */
export type StillDoes = (program: FuzzProgram) => Promise<boolean>;

/** Programs tried at most. */
const TRIALS = 3000;
const SMALLEST_RING = 4096;

/**
 * Shrinks a program: operations are left out, lists shortened, numbers made smaller, as long as it still
 * does the same.
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
 * @param stillDoes Tells whether a smaller one does the same. It may answer false to come to an end.
 * @param mostTrials Smaller programs that are tried at most.
 * @returns The smallest that was found.
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

// Leaves out ever smaller pieces of a list.
async function shorten<T>(
  list: readonly T[],
  least: number,
  attempt: (list: readonly T[]) => Promise<boolean>,
): Promise<void> {
  let left = list;
  for (let size = Math.max(1, left.length >> 1); size >= 1; size >>= 1) {
    // From the end: what comes after the difference goes first.
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

// Makes the numbers of an operation smaller, one after another.
async function simplify(
  at: number,
  current: () => FuzzProgram,
  attempt: (program: FuzzProgram) => Promise<boolean>,
): Promise<void> {
  const change = (fields: Readonly<Record<string, number | readonly number[]>>) => {
    const { ops } = current();
    // The fields are the operation's own, and their numbers in range.
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
    // The name is that of a number of the operation.
    const value = () => {
      const fields: Readonly<Record<string, unknown>> = { ...current().ops[at] };
      return Number(fields[name]);
    };
    if (value() === least || await change({ [name]: least })) continue;
    // Half way down, as long as that goes, and then a step.
    while (value() > least + 1 && await change({ [name]: least + ((value() - least) >> 1) }));
    while (value() > least + 1 && await change({ [name]: value() - 1 }));
  }
}
