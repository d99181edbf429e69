import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import type { DumpResult } from "./dump.ts";

const COLUMNS = "vcpu,index,flags,state,addressSpace,slot,offset,gfn";

/**
 * Formats the entries of `dirtyring dump` as CSV with a header line, if the page has heads (RFC
 * 4180, except for line ends). No field needs quotes.
 *
 * @returns Lines with their ends.
 */
export function* dumpCsv(
  result: DumpResult,
  _options: unknown = null,
  { header }: Pick<Page, "header"> = PLAIN_PAGE,
): Generator<string> {
  if (header) yield `${COLUMNS}\n`;
  for (const { vcpu, entries } of result.rings) {
    for (const { index, flags, state, addressSpace, slot, offset, gfn } of entries) {
      yield `${vcpu},${index},${flags},${state},${addressSpace},${slot},${offset},${gfn ?? ""}\n`;
    }
  }
}

/**
 * Formats the entries of `dirtyring dump` as NDJSON: the vCPU's number, then the fields of an entry
 * as in the JSON result.
 *
 * @returns Lines with their ends.
 */
export function* dumpNdjson(result: DumpResult): Generator<string> {
  for (const { vcpu, entries } of result.rings) {
    for (const entry of entries) yield `${JSON.stringify({ vcpu, ...entry })}\n`;
  }
}
