import type { KernelLogFacts, KernelLogResult } from "../lab/kernel_log.ts";
import { oneLine } from "./one_line.ts";
import { countText } from "./units.ts";

/**
 * Says that the kernel's log could not be read.
 *
 * @param log How far it was looked at.
 * @returns A line without its end, or `null` where it was read, or where there is none.
 */
export function unreadLogText(log: KernelLogFacts | null): string | null {
  if (log === null || log.read) return null;
  return `the kernel's log is not looked at: ${oneLine(log.why ?? "")}`;
}

/**
 * Says that a part of the kernel's log was not read.
 *
 * @param log How far it was looked at.
 * @returns A line without its end, or `null` where all of it was read, or where there is none.
 */
export function lostLogText(log: KernelLogFacts | null): string | null {
  if (log === null || log.lost === 0) return null;
  const records = countText(log.lost, "record");
  return `the kernel's log: ${records} at least overwritten before they could be read`;
}

/**
 * The last lines of a result for people: what the kernel reported, or that nobody could look.
 *
 * @param log What the result says of the log; `null` for a model, which has none.
 * @returns Lines with their ends.
 */
export function* kernelLogText(log: KernelLogResult | null): Generator<string> {
  for (const line of [unreadLogText(log), lostLogText(log)]) if (line !== null) yield `${line}\n`;
  for (const report of log?.reports ?? []) {
    yield "\n";
    yield "the kernel reported a problem:\n";
    for (const line of reportLines([report])) yield `  ${line}\n`;
  }
}

/**
 * What the kernel reported, as lines.
 *
 * @param reports The first lines of each report.
 * @returns Lines without their ends, safe for a terminal.
 */
export function reportLines(reports: readonly (readonly string[])[]): string[] {
  return reports.flatMap((lines) => lines.map(oneLine));
}
