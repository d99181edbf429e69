import { selectChecks, type Selection, uselessGlob } from "../checks/select_checks.ts";
import { UsageError } from "../lab/usage_error.ts";
import { nearest } from "../cli/nearest.ts";
import { printable } from "../text/printable.ts";

/**
 * The checks that a command line asks for.
 *
 * @param checks All checks.
 * @param selection Its globs.
 * @returns Those, in their order.
 * @throws {UsageError} Where a glob matches nothing, or nothing is left.
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
