import type { DumpResult } from "../lab/dump.ts";

const COLUMNS = "vcpu,index,flags,state,addressSpace,slot,offset,gfn";

/**
 * The entries of `dirtyring dump` as CSV (RFC 4180, but for line ends), with a head; no field needs
 * quotes.
 *
 * @param result The result.
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
