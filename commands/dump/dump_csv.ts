import type { DumpResult } from "./dump.ts";

const COLUMNS = "vcpu,index,flags,state,addressSpace,slot,offset,gfn";

/**
 * The entries of `dirtyring dump` as CSV (RFC 4180, but for line ends), with a head; no field needs
 * quotes.
 *
 * @returns Lines with their ends.
 */
export function* dumpCsv(result: DumpResult): Generator<string> {
  yield `${COLUMNS}\n`;
  for (const { vcpu, entries } of result.rings) {
    for (const { index, flags, state, addressSpace, slot, offset, gfn } of entries) {
      yield `${vcpu},${index},${flags},${state},${addressSpace},${slot},${offset},${gfn ?? ""}\n`;
    }
  }
}

/**
 * The entries of `dirtyring dump`, one JSON object a line: the fields of the JSON result's entries,
 * after the vCPU's number.
 *
 * @returns Lines with their ends.
 */
export function* dumpNdjson(result: DumpResult): Generator<string> {
  for (const { vcpu, entries } of result.rings) {
    for (const entry of entries) yield `${JSON.stringify({ vcpu, ...entry })}\n`;
  }
}
