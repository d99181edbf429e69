// How checks state what is documented and compare it with what they see; how they fail, skip, and
// report known defects.
import type { Machine } from "./machine.ts";

/**
 * The answer of a check that neither failed nor was skipped: nothing, a remark, or a known defect.
 */
export type CheckAnswer = string | Known | void;

/** A kernel defect that docs/abi.md documents and that was observed. */
export class Known {
  /** What was observed. */
  readonly detail: string;

  /** Records what was observed. */
  constructor(detail: string) {
    this.detail = detail;
  }
}

/** Thrown where a statement does not hold. */
export class CheckFailure extends Error {
  /** The question, in words. */
  readonly what: string;
  /** What is documented. */
  readonly expected: string;
  /** What was seen. */
  readonly seen: string;

  /**
   * The message contains all three parts.
   *
   * @param expected What is documented.
   */
  constructor(what: string, expected: string, seen: string) {
    super(`${what}: expected ${expected}, seen ${seen}`);
    this.name = "CheckFailure";
    this.what = what;
    this.expected = expected;
    this.seen = seen;
  }
}

/** Options of `dirtyring check` that some checks need. */
export type Permission = "allow-warn" | "allow-harm";

/** Thrown where this host cannot show a statement. */
export class CheckSkip extends Error {
  /**
   * Records the reason.
   *
   * @param reason What the host would need.
   */
  constructor(reason: string) {
    super(reason);
    this.name = "CheckSkip";
  }
}

/**
 * Thrown where this host could show a statement, but the check needs a permission that was not
 * given.
 */
export class CheckWithheld extends CheckSkip {
  /** The option that allows it. */
  readonly permission: Permission;

  /**
   * Records the reason.
   *
   * @param reason What the check would do to the kernel.
   * @param permission The option that allows it.
   */
  constructor(reason: string, permission: Permission) {
    super(`${reason}: only with --${permission}`);
    this.permission = permission;
  }
}

/** A value that can be compared by its text: numbers, words, and lists of them. */
export type Plain = number | string | boolean | bigint | null | readonly Plain[];

function text(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(text).join(", ")}]`;
  return `${value}`;
}

/**
 * Compares what was seen with what is documented.
 *
 * @example
 * ```ts
 * import { expect } from "./expect.ts";
 * import { assertThrows } from "@std/assert";
 *
 * expect("entries in the ring", [1, 2], [1, 2]);
 * assertThrows(() => expect("count", 3, 4), Error, "count: expected 4, seen 3");
 * ```
 *
 * @param expected What is documented.
 * @throws {CheckFailure} Where the two differ.
 */
export function expect(what: string, seen: Plain, expected: Plain): void {
  if (text(seen) !== text(expected)) throw new CheckFailure(what, text(expected), text(seen));
}

/**
 * Like {@linkcode expect}, where more than one answer is documented.
 *
 * @param allowed The documented answers.
 * @throws {CheckFailure} Where `seen` is none of them.
 */
export function expectOneOf(what: string, seen: Plain, allowed: readonly Plain[]): void {
  if (allowed.some((one) => text(one) === text(seen))) return;
  throw new CheckFailure(what, allowed.map(text).join(" or "), text(seen));
}

/**
 * Like {@linkcode expect}, where a condition is documented and not a value.
 *
 * @param holds Whether the condition holds.
 * @param expected What is documented, in words.
 * @throws {CheckFailure} Where it does not hold.
 */
export function expectThat(what: string, holds: boolean, expected: string, seen: Plain): void {
  if (!holds) throw new CheckFailure(what, expected, text(seen));
}

/**
 * Consecutive numbers, mostly of pages.
 *
 * @example
 * ```ts
 * import { numbers } from "./expect.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([numbers(3), numbers(2, 7)], [[0, 1, 2], [7, 8]]);
 * ```
 */
export function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

/**
 * Numbers in ascending order. Needed because KVM may copy a PML buffer to the ring backwards.
 *
 * @returns A sorted copy.
 */
export function ascending(list: readonly number[]): number[] {
  return list.toSorted((a, b) => a - b);
}

/**
 * The flags of a ring's first entries.
 *
 * @returns The flags, in the order of the mapping.
 */
export function flagsOf(machine: Machine, count: number, vcpu = 0): number[] {
  return Array.from({ length: count }, (_, index) => machine.entry(vcpu, index).flags);
}

// The kernel sources that docs/abi.md cites, in its words "seed", "ring", "main", "x86" and "api".

/** The original patch (v5.11), "seed" in docs/abi.md. */
export const SEED = "v5.11, virt/kvm/dirty_ring.c and its hunks in virt/kvm/kvm_main.c";
/** The ring itself. */
export const RING = "virt/kvm/dirty_ring.c";
/** KVM's code for all architectures. */
export const MAIN = "virt/kvm/kvm_main.c";
/** KVM's code for x86. */
export const X86 = "arch/x86/kvm";
/** The documentation. */
export const API = "Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING";
