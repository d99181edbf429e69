// Which checks `dirtyring check` makes, and how they are shown while it runs.

import { nearest } from "../../cli/nearest.ts";
import type { Watcher } from "../../conformance/runner/conformance.ts";
import {
  selectChecks,
  type Selection,
  uselessGlob,
} from "../../conformance/runner/select_checks.ts";
import { UsageError } from "../../host/errors.ts";
import { printable } from "../../text/printable.ts";
import { checkHeadText, checkResultNdjson, checkResultText } from "./check_text.ts";

/**
 * Selects the checks that a command line asks for.
 *
 * @param selection Its globs.
 * @returns The selected checks, in their order.
 * @throws {UsageError} If a glob matches nothing, or no check is left.
 */
export function checksAskedFor<One extends { readonly id: string }>(
  checks: readonly One[],
  selection: Selection,
): One[] {
  for (const name of ["only", "skip"] as const) {
    const glob = uselessGlob(selection[name], checks);
    if (glob !== undefined) throw new UsageError(noSuchCheck(name, glob, checks));
  }
  const selected = selectChecks(checks, selection);
  if (selected.length > 0) return selected;
  const only = selection.only.length === 0
    ? ""
    : `--only ${printable(selection.only.join(","))} and `;
  throw new UsageError(
    `${only}--skip ${
      printable(selection.skip.join(","))
    }: leave no check; dirtyring check --list shows all`,
  );
}

function noSuchCheck(
  option: string,
  glob: string,
  checks: readonly { readonly id: string }[],
): string {
  const ids = checks.map(({ id }) => id);
  const families = new Set(ids.map((id) => id.replace(/\..*$/, ".*")));
  const near = nearest(glob, glob.includes("*") ? [...families] : ids);
  const hint = near === null ? "" : `; did you mean ${near}?`;
  return `--${option} ${
    printable(glob)
  }: matches no check${hint} (dirtyring check --list shows all)`;
}

/** Prints a part of a result. Returns whether anybody still reads. */
export type Print = (chunks: Iterable<string>) => boolean;

/**
 * Shows checks to a person as they end.
 *
 * @param print Prints a part of the result.
 * @param ids The ids of all checks to come.
 * @param isGrouped Whether the checks come group by group.
 */
export function textProgress(print: Print, ids: readonly string[], isGrouped: boolean): Watcher {
  const width = Math.max(...ids.map((id) => id.length));
  let group: string | null = null;
  return {
    begin: (kernel, log) => print(checkHeadText(kernel, log)),
    result(result) {
      const isHead = isGrouped && result.group !== group;
      group = result.group;
      return print(checkResultText(result, width, isHead));
    },
  };
}

/**
 * Prints checks as NDJSON as they end.
 *
 * @param print Prints a part of the result.
 */
export function ndjsonProgress(print: Print): Watcher {
  return { begin: () => true, result: (result) => print(checkResultNdjson(result)) };
}

/** Shows nothing before the end. */
export const NO_PROGRESS: Watcher = { begin: () => true, result: () => true };
