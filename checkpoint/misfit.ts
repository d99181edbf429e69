import { PAGE_SIZE } from "../ffi/linux.ts";
import { parsePattern } from "../guest/pattern.ts";
import { GUESTS, slot0Size } from "../lab/plan.ts";
import { printable } from "../text/printable.ts";
import { type CheckpointHeader, MOST_LIST } from "./checkpoint_header.ts";

/**
 * What of a header cannot be, whatever its file's digest says. Each field for itself may be right; here they are held
 * against each other, before anything is built from them.
 *
 * What is right then needs no more memory than the file has bytes, beside the guest's own: the access list is as long
 * as slot 0 has room for, slot 0 and the registers of each vCPU are in the file, and the file is as long as its header
 * says. Of logged memory, which no file holds whole, some bytes are kept for each page, and its pages are touched
 * where a file or a store names them.
 *
 * @param header The header.
 * @returns Why it cannot be, in a clause; `null` where it can.
 */
export function misfit({ lab, slot0Bytes }: CheckpointHeader): string | null {
  const { memory, slots, passes } = lab;
  const guest = GUESTS[lab.guest];
  if (memory % PAGE_SIZE !== 0) return `memory of ${memory} bytes is no whole number of pages`;
  if (slots > memory / PAGE_SIZE) {
    return `${memory / PAGE_SIZE} pages of memory cannot be split into ${slots} slots`;
  }
  const list = lab.pages * passes;
  if (list > MOST_LIST) {
    return `a list of ${lab.pages} stores, ${passes} times, is longer than ${MOST_LIST}`;
  }
  const expected = slot0Size(guest, list);
  if (slot0Bytes !== expected) {
    return `slot 0 has ${slot0Bytes} bytes, where a list of ${list} stores makes it ${expected}`;
  }
  if (memory > guest.addressLimit - slot0Bytes) {
    return `${memory} bytes of memory behind slot 0 are too many: ${guest.limitReason}`;
  }
  return isPattern(lab.pattern) ? null : `no access pattern is called ${printable(lab.pattern)}`;
}

function isPattern(text: string): boolean {
  try {
    parsePattern(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
