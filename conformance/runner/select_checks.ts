// Which checks to run (`--only`, `--skip`), and how `--list` lists them.
import type { GroupedCheck } from "../statements/all_checks.ts";

/** Which checks the user wants, as globs on their ids. */
export interface Selection {
  /** Checks that match one of these; all where the list is empty. */
  readonly only: readonly string[];
  /** Except those that match one of these. */
  readonly skip: readonly string[];
}

/** Anything with an id. */
export interface Named {
  /** The id. */
  readonly id: string;
}

/**
 * Whether an id matches a glob: `*` stands for any characters, `?` for one.
 *
 * @example
 * ```ts
 * import { matchesGlob } from "./select_checks.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const globs = ["reset.*", "reset.?ignal", "reset", "*.signal*"];
 * assertEquals(globs.map((glob) => matchesGlob(glob, "reset.signal")), [true, true, false, true]);
 * ```
 */
export function matchesGlob(glob: string, id: string): boolean {
  const literal = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const pattern = literal.replaceAll(/\*+/g, ".*").replaceAll("?", ".");
  return new RegExp(`^${pattern}$`, "s").test(id);
}

/**
 * The first glob that matches no check at all.
 *
 * @returns The glob, or `undefined` where each glob matches a check.
 */
export function uselessGlob(
  globs: readonly string[],
  checks: readonly Named[],
): string | undefined {
  return globs.find((glob) => !checks.some(({ id }) => matchesGlob(glob, id)));
}

/** The checks that the user wants, in their original order. */
export function selectChecks<One extends Named>(
  checks: readonly One[],
  { only, skip }: Selection,
): One[] {
  const matches = (globs: readonly string[], id: string) =>
    globs.some((glob) => matchesGlob(glob, id));
  return checks.filter(({ id }) => (only.length === 0 || matches(only, id)) && !matches(skip, id));
}

/** A check as `--list` shows it. */
export type ListedCheck = Omit<GroupedCheck, "run">;

/** The result of `dirtyring check --list`: the checks, without running them. */
export interface CheckList {
  /** The name and version of this format. */
  readonly schema: "dirtyring.check-list/1";
  /** The checks. */
  readonly checks: readonly ListedCheck[];
}

/** Describes checks as far as that needs no kernel. */
export function listChecks(checks: readonly GroupedCheck[]): CheckList {
  return {
    schema: "dirtyring.check-list/1",
    checks: checks.map(({ id, group, where, statement, source }) => ({
      id,
      group,
      where,
      statement,
      source,
    })),
  };
}
