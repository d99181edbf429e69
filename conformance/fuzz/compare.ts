// Compares a fuzz program's run on a real kernel with its run on the model.
import { PROT_EXEC } from "../../ffi/linux.ts";
import { DIRTY } from "../../ring/entry.ts";
import { ENTRY_NUMBERS, type FuzzStep } from "./machine.ts";
import type { FuzzOp, FuzzProgram } from "./program.ts";

/**
 * Behaviour that docs/abi.md leaves open. A difference that one of these covers is not a mismatch.
 */
export type FuzzAllowance =
  /** Pages that the guest only reads or executes may be pushed, too. */
  | "push.read-may-push"
  /** A page may be pushed again without a reset where the host moved its memory meanwhile. */
  | "push.once-until-reset"
  /** Mapping a ring for execution is refused with EINVAL or with EPERM. */
  | "mmap.exec";

/** The first difference between two runs of a program. */
export interface FuzzDifference {
  /** The real kernel's answers in the steps before, in order. */
  readonly answers: readonly string[];
  /** The step that differs: 0 is the making of the VM, n is the nth operation. */
  readonly step: number;
  /** Which part of the step differs. */
  readonly part: keyof FuzzStep;
  /** What the model did. */
  readonly expected: FuzzStep;
  /** What the real kernel did. */
  readonly seen: FuzzStep;
}

/** The comparison of two runs of a program. */
export interface FuzzComparison {
  /** The first difference, or `null`. */
  readonly difference: FuzzDifference | null;
  /** The number of steps compared. */
  readonly steps: number;
  /** The number of entries compared: those that changed in a step. */
  readonly entries: number;
  /** Allowances used, in order. */
  readonly allowances: readonly FuzzAllowance[];
  /** Whether the comparison stopped early, because the rings are out of step after an allowance. */
  readonly endedEarly: boolean;
}

const PARTS = ["answer", "remaining", "entries", "words"] as const;

/**
 * Compares what a real kernel did with what the model did, step by step, up to the first difference
 * that no allowance covers.
 *
 * @param seen What the real kernel did.
 * @param expected What the model did.
 */
export function compareRuns(
  program: FuzzProgram,
  seen: readonly FuzzStep[],
  expected: readonly FuzzStep[],
): FuzzComparison {
  const allowances: FuzzAllowance[] = [];
  let entries = 0;
  for (const [step, wanted] of expected.entries()) {
    // Both runs have the same steps, unless one of them ended after the making of the VM.
    const got = seen[step];
    if (got === undefined) break;
    entries += wanted.entries.length / ENTRY_NUMBERS;
    const part = PARTS.find((name) => !isSame(got[name], wanted[name]));
    if (part === undefined) continue;
    const op = program.ops[step - 1];
    if (op !== undefined && isExecErrno(op, got, wanted)) {
      allowances.push("mmap.exec");
      continue;
    }
    if (op !== undefined && isReadPush(program, op, got, wanted)) {
      allowances.push("push.read-may-push");
      return { difference: null, steps: step + 1, entries, allowances, endedEarly: true };
    }
    const answers = seen.slice(0, step).map(({ answer }) => answer);
    const difference = { answers, step, part, expected: wanted, seen: got };
    return { difference, steps: step + 1, entries, allowances, endedEarly: false };
  }
  return { difference: null, steps: expected.length, entries, allowances, endedEarly: false };
}

function isSame(one: FuzzStep[keyof FuzzStep], other: FuzzStep[keyof FuzzStep]): boolean {
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") {
    return one === other;
  }
  return one.length === other.length && one.every((value, n) => value === other[n]);
}

// Whether both kernels refused, each with one of the two documented errnos, and nothing else
// differs.
function isExecErrno(op: FuzzOp, one: FuzzStep, other: FuzzStep): boolean {
  return op.do === "map" && (op.protection & PROT_EXEC) !== 0 &&
    [one, other].every(({ answer }) => answer === "EINVAL" || answer === "EPERM") &&
    PARTS.slice(1).every((part) => isSame(one[part], other[part]));
}

const RUNS: readonly string[] = ["store", "resume"];
const FULL = "KVM_EXIT_DIRTY_RING_FULL";

// Splits a list of entries into one list for each entry.
function pushes(entries: readonly number[]): number[][] {
  return Array.from(
    { length: entries.length / ENTRY_NUMBERS },
    (_, n) => entries.slice(n * ENTRY_NUMBERS, (n + 1) * ENTRY_NUMBERS),
  );
}

// Whether the runs differ only in pages of the guest's own slot, which the guest never stores to.
// If such pages filled one ring, that guest stopped before stores that the other still made.
function isReadPush(
  { logProgram }: FuzzProgram,
  op: FuzzOp,
  one: FuzzStep,
  other: FuzzStep,
): boolean {
  if (logProgram === 0 || !RUNS.includes(op.do)) return false;
  const [all, allOther] = [pushes(one.entries), pushes(other.entries)];
  const isRead = ([, , flags, slot]: number[]) => flags === DIRTY && slot === 0;
  if (isSame(all.filter(isRead).flat(), allOther.filter(isRead).flat())) return false;
  const stores = (list: number[][]) =>
    list.filter((push) => !isRead(push)).map(([vcpu, _index, ...rest]) => `${[vcpu, ...rest]}`);
  const [stored, storedOther] = [stores(all), stores(allOther)];
  const common = Math.min(stored.length, storedOther.length);
  if (stored.slice(0, common).some((push, n) => push !== storedOther[n])) return false;
  const isCutOff = (step: FuzzStep, length: number) => length === common && step.answer === FULL;
  if (isCutOff(one, stored.length) || isCutOff(other, storedOther.length)) return true;
  return stored.length === storedOther.length && one.answer === other.answer &&
    one.remaining === other.remaining && isSame(one.words, other.words);
}

/**
 * Whether a difference may come from a host that moves memory (`push.once-until-reset`): the real
 * kernel pushed all that the model did, in the same order, and in addition pages that had been
 * pushed before. Only meaningful once the caller has seen that the program does not differ again.
 *
 * @param earlier What the real kernel did in the steps before.
 */
export function isPushedAgain(difference: FuzzDifference, earlier: readonly FuzzStep[]): boolean {
  const { part, seen, expected } = difference;
  if (part === "words" || seen.entries.length <= expected.entries.length) return false;
  const page = ([vcpu, _index, flags, ...rest]: number[]) => `${[vcpu, flags, ...rest]}`;
  const before = new Set(
    earlier.flatMap(({ entries }) => pushes(entries)).map(([, , , ...rest]) => `${rest}`),
  );
  const wanted = pushes(expected.entries).map(page);
  let next = 0;
  for (const push of pushes(seen.entries)) {
    if (page(push) === wanted[next]) next++;
    else if (push[2] !== DIRTY || !before.has(`${push.slice(3)}`)) return false;
    before.add(`${push.slice(3)}`);
  }
  return next === wanted.length || seen.answer === FULL;
}
