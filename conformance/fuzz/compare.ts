import { PROT_EXEC } from "../../ffi/linux.ts";
import { DIRTY } from "../../ring/entry.ts";
import { ENTRY_NUMBERS, type FuzzStep } from "./machine.ts";
import type { FuzzOp, FuzzProgram } from "./program.ts";

/** What docs/abi.md leaves open: a difference that it covers is no mismatch. */
export type FuzzAllowance =
  /** Pages that the guest only reads or fetches may be pushed, too. */
  | "push.read-may-push"
  /** A page may be pushed again where the host moved its memory meanwhile. */
  | "push.once-until-reset"
  /** Mapping a ring for execution is refused with EINVAL or with EPERM. */
  | "mmap.exec";

/** What differs first between two kernels. */
export interface FuzzDifference {
  /** What the real kernel answered in the steps before, in order. */
  readonly answers: readonly string[];
  /** The step: 0 is the making of the VM, n the nth operation. */
  readonly step: number;
  /** Which part of it. */
  readonly part: keyof FuzzStep;
  /** What the model did. */
  readonly expected: FuzzStep;
  /** What the real kernel did. */
  readonly seen: FuzzStep;
}

/** Two runs of a program held against each other. */
export interface FuzzComparison {
  /** What differs, or `null`. */
  readonly difference: FuzzDifference | null;
  /** Steps compared. */
  readonly steps: number;
  /** Entries compared: those that changed in a step. */
  readonly entries: number;
  /** Allowances used, in order. */
  readonly allowances: readonly FuzzAllowance[];
  /** Whether the rest of the program was not compared: after an allowance the rings are out of step. */
  readonly endedEarly: boolean;
}

const PARTS = ["answer", "remaining", "entries", "words"] as const;

/**
 * Holds what a real kernel did against what the model did, step by step, up to the first difference that
 * no allowance covers.
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
    // Of both runs the same operations are told, or only the making of the VM.
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

// A refusal in both, each with one of the two errnos that are documented, and nothing else differs.
function isExecErrno(op: FuzzOp, one: FuzzStep, other: FuzzStep): boolean {
  return op.do === "map" && (op.protection & PROT_EXEC) !== 0 &&
    [one, other].every(({ answer }) => answer === "EINVAL" || answer === "EPERM") &&
    PARTS.slice(1).every((part) => isSame(one[part], other[part]));
}

const RUNS: readonly string[] = ["store", "resume"];
const FULL = "KVM_EXIT_DIRTY_RING_FULL";

// A push as it can be compared where indices are out of step.
function pushes(entries: readonly number[]): number[][] {
  return Array.from(
    { length: entries.length / ENTRY_NUMBERS },
    (_, n) => entries.slice(n * ENTRY_NUMBERS, (n + 1) * ENTRY_NUMBERS),
  );
}

// Only pages of the guest's own slot, which it never stores to, were pushed by one and not the other. A
// ring that those pages filled stops the guest before stores that the other makes.
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
 * Whether a difference is what `push.once-until-reset` leaves to a host that moves memory: the real kernel
 * pushed all that the model did, in its order, and pages again that were pushed before. It is for who
 * has seen that the program does not differ again.
 *
 * @param earlier What the real kernel did in the steps before.
 * @returns Whether it may be that.
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
