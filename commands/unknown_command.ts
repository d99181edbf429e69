import { UsageError } from "../lab/usage_error.ts";
import { nearest } from "../cli/nearest.ts";
import { printable } from "../text/printable.ts";

/**
 * Names the nearest command of one that does not exist.
 *
 * @param name What was written.
 * @param names What exists.
 * @returns The error.
 */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = nearest(name, [...names, "help"]);
  return new UsageError(
    `unknown command ${printable(name)}; did you mean ${near}? (dirtyring help lists all)`,
  );
}
