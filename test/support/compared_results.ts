// Made-up results to compare.
import { type Comparable, comparableOf } from "../../commands/compare/comparable.ts";
import { Foreign } from "../../commands/compare/foreign.ts";

/** A kernel that answered. */
export const KVM = {
  backend: "kvm",
  model: null,
  release: "6.12.1",
  module: "kvm_amd",
  ringMaxBytes: 1 << 20,
};

const LAB = {
  guest: "long64",
  vcpus: 1,
  memory: 2 ** 26,
  slots: 1,
  ring: 4096,
  pattern: "random",
  pages: 256,
  rounds: 1,
  seed: 1,
};

/** What a test changes of a made-up result. */
export interface StatsChange {
  readonly kernel?: object;
  readonly lab?: object;
  readonly total?: object;
  /** Times of `KVM_RESET_DIRTY_RINGS` for an entry. */
  readonly samples?: readonly number[] | null;
  readonly rest?: object;
}

/** A result of `stats`, as JSON has it. */
export function statsResult({ kernel, lab, total, samples = [], rest }: StatsChange = {}) {
  const none = { lost: { count: 0, pages: [] }, problems: [], ok: true, interrupted: null };
  return {
    schema: "dirtyring.stats/1",
    kernel: { ...KVM, ...kernel },
    lab: { ...LAB, ...lab },
    rule: "v6.10",
    total: {
      windows: 1,
      entries: 256,
      uniquePages: 256,
      duplicates: 0,
      batches: 200,
      calls: 201,
      sorted: { batches: 50 },
      ends: { otherSlot: 0, ringEnd: 1 },
      ...total,
    },
    measured: {
      repetitions: samples?.length ?? 0,
      samples: samples === null ? null : { resetNsPerEntry: samples },
    },
    ...none,
    ...rest,
  };
}

/** A check of a report, as JSON has it. */
export function checkOf(id: string, status: string, change: object = {}) {
  return {
    id,
    group: "resetting",
    statement: `what ${id} says`,
    status,
    detail: null,
    expected: null,
    seen: null,
    withheld: null,
    ...change,
  };
}

/** A report of checks, as JSON has it. */
export function checkReport(checks: readonly object[], change: object = {}) {
  return {
    schema: "dirtyring.check/1",
    kernel: KVM,
    complete: true,
    interrupted: null,
    checks,
    ...change,
  };
}

/** Makes a result comparable, as if it had been read from a file. */
export function comparable(file: string, result: object): Comparable {
  // What a file holds is JSON.
  return comparableOf(file, new Foreign(file, JSON.parse(JSON.stringify(result))));
}
