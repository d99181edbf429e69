import type { CheckRun } from "./check_result.ts";
import type { Pace } from "./pace.ts";

/**
 * A line that a child writes: it has begun, has measured the host (or could not), a check has ended, this host
 * cannot be used at all, or a call found no file descriptor left, which says nothing about what was checked.
 */
export type ChildLine =
  | { readonly kind: "ready" }
  | { readonly kind: "pace"; readonly pace: Pace | null }
  | { readonly kind: "run"; readonly id: string; readonly run: CheckRun }
  | { readonly kind: "unusable"; readonly what: string; readonly advice: string }
  | { readonly kind: "exhausted"; readonly call: string; readonly errno: number };

const KINDS: readonly unknown[] = ["ready", "pace", "run", "unusable", "exhausted"];

/**
 * Reads a line of a child.
 *
 * @param text The line.
 * @returns What it says, or `null` where it is none of a child's: something else was printed.
 */
export function parseChildLine(text: string): ChildLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("kind" in value)) return null;
    // Parent and child are of one version, so that the kind says the rest.
    return KINDS.includes(value.kind) ? value as ChildLine : null;
  } catch {
    return null;
  }
}
