import type { DumpResult } from "../lab/dump.ts";

/**
 * The entries of `dirtyring dump`, one JSON object a line: the fields of the JSON result's entries,
 * after the vCPU's number.
 *
 * @param result The result.
 * @returns Lines with their ends.
 */
export function* dumpNdjson(result: DumpResult): Generator<string> {
  for (const { vcpu, entries } of result.rings) {
    for (const entry of entries) yield `${JSON.stringify({ vcpu, ...entry })}\n`;
  }
}
