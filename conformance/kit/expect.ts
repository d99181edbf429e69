import type { Machine } from "./machine.ts";

/** What a check that neither failed nor was skipped says. */
export type CheckAnswer = string | Known | void;

/** A defect of the kernel that docs/abi.md names, and that was observed. */
export class Known {
  /** What was observed. */
  readonly detail: string;

  /** Says what was observed. */
  constructor(detail: string) {
    this.detail = detail;
  }
}

/** A statement that does not hold. */
export class CheckFailure extends Error {
  /** What was asked, in words. */
  readonly what: string;
  /** What is documented. */
  readonly expected: string;
  /** What was seen. */
  readonly seen: string;

  /**
   * Says what was expected and what was seen.
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

/** Options of `dirtyring check` without which some checks are not made. */
export type Permission = "allow-warn" | "allow-harm";

/** A statement that this host cannot show. */
export class CheckSkip extends Error {
  /**
   * Says why.
   *
   * @param reason What the host would need.
   */
  constructor(reason: string) {
    super(reason);
    this.name = "CheckSkip";
  }
}

/** A statement that this host can show, and that is not asked unless that is allowed. */
export class CheckWithheld extends CheckSkip {
  /** The option that allows it. */
  readonly permission: Permission;

  /**
   * Says why.
   *
   * @param reason What it would do to the kernel.
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
 * Holds what was seen against what is documented.
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
 * @throws {CheckFailure} Where they differ.
 */
export function expect(what: string, seen: Plain, expected: Plain): void {
  if (text(seen) !== text(expected)) throw new CheckFailure(what, text(expected), text(seen));
}

/**
 * The same where more than one answer is documented.
 *
 * @param allowed The documented answers.
 * @throws {CheckFailure} Where it is none of them.
 */
export function expectOneOf(what: string, seen: Plain, allowed: readonly Plain[]): void {
  if (allowed.some((one) => text(one) === text(seen))) return;
  throw new CheckFailure(what, allowed.map(text).join(" or "), text(seen));
}

/**
 * The same where a condition is documented, not a value.
 *
 * @param holds Whether it holds.
 * @param expected What is documented, in words.
 * @throws {CheckFailure} Where it does not.
 */
export function expectThat(what: string, holds: boolean, expected: string, seen: Plain): void {
  if (!holds) throw new CheckFailure(what, expected, text(seen));
}

/**
 * Numbers in a row: pages, most often.
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
 * Numbers in ascending order: a processor's log may come to the ring backwards.
 *
 * @returns A sorted copy.
 */
export function ascending(list: readonly number[]): number[] {
  return list.toSorted((a, b) => a - b);
}

/**
 * The flags of a ring's first entries.
 *
 * @param vcpu The vCPU whose ring it is.
 * @returns Their flags, in the order of the mapping.
 */
export function flagsOf(machine: Machine, count: number, vcpu = 0): number[] {
  return Array.from({ length: count }, (_, index) => machine.entry(vcpu, index).flags);
}

// Where the kernel promises what docs/abi.md states: its words "seed", "ring", "main", "x86" and "api".

/** The patch that brought the ring, v5.11. */
export const SEED = "v5.11, virt/kvm/dirty_ring.c and its hunks in virt/kvm/kvm_main.c";
/** The ring itself. */
export const RING = "virt/kvm/dirty_ring.c";
/** What is common to all architectures. */
export const MAIN = "virt/kvm/kvm_main.c";
/** What is x86's own. */
export const X86 = "arch/x86/kvm";
/** The documentation. */
export const API = "Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING";
