// Which checks `dirtyring check` makes, and how they are shown while it runs.

import type { Outlet } from "../../cli/context.ts";
import { nearest } from "../../cli/nearest.ts";
import type { Watcher } from "../../conformance/runner/conformance.ts";
import {
  selectChecks,
  type Selection,
  uselessGlob,
} from "../../conformance/runner/select_checks.ts";
import { UsageError } from "../../host/errors.ts";
import { printable } from "../../text/printable.ts";
import { checkHeadText, checkResultText, groupHeads } from "./check_text.ts";

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

/**
 * Shows checks to a person as they end.
 *
 * @param outlet Where they are shown.
 * @param ids The ids of all checks to come.
 * @param isGrouped Whether the checks come group by group.
 */
export function textProgress(outlet: Outlet, ids: readonly string[], isGrouped: boolean): Watcher {
  const width = Math.max(...ids.map((id) => id.length));
  const isHead = groupHeads(isGrouped, outlet.page);
  return {
    begin: (kernel, log) => outlet.print(checkHeadText(kernel, log, outlet.page)),
    result: (result) => outlet.print(checkResultText(result, width, isHead(result), outlet.page)),
  };
}

/** Tells several watchers; without any, nothing is shown before the end. */
export function together(watchers: readonly Watcher[]): Watcher {
  return {
    begin: (kernel, log) => watchers.every((one) => one.begin(kernel, log)),
    result: (result) => watchers.every((one) => one.result(result)),
  };
}
