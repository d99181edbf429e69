import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Guest } from "./guest.ts";
import { type Listing, machineCode, offsetOf } from "./listing.ts";
import { real16 } from "./real16.ts";

/** Stores of its one errand. */
export const TIGHT16_STORES = 160;

/** Bytes of a store instruction: prefixes, opcode and ModRM are four, the displacement is four more. */
const STORE_BYTES = 8;

// esi: where the list is, then the first page   ebx: the value
//
// One instruction a store, the densest there is without `rep`: a KVM that emulates real mode runs many
// before it looks at the ring again. guest/real16.ts is padded for the same reason.
const STORES = Array.from({ length: TIGHT16_STORES }, (_, n) => {
  const by = n * PAGE_SIZE;
  const displacement = [by & 0xff, (by >> 8) & 0xff, (by >> 16) & 0xff, by >>> 24];
  return [
    [0x67, 0x66, 0x89, 0x9e, ...displacement],
    `       mov  [esi + 0x${by.toString(16)}], ebx`,
  ] as const;
});

/** The program: bytes and assembly, a line each. */
export const TIGHT16_LISTING: Listing = [
  [[0x67, 0x66, 0x8b, 0x36], "start: mov  esi, [esi]     ; the address of the first page"],
  ...STORES,
  [[0xf4], "done:  hlt"],
];

const DONE_AT = real16.codeAt + offsetOf(TIGHT16_LISTING, "done:");

/**
 * A real-mode guest that can overflow a ring where real mode is emulated (`full.overflow` of docs/abi.md).
 * It stores one value to {@linkcode TIGHT16_STORES} pages in a row: of its list it reads the first
 * element alone. It shares the name of the guest whose house it lives in.
 */
export const tight16: Guest = {
  ...real16,
  code: machineCode(TIGHT16_LISTING),

  place(memory) {
    memory.set(tight16.code, real16.codeAt);
  },

  begin(errand) {
    if (errand.stores !== TIGHT16_STORES) {
      throw new RangeError(`Cannot make ${errand.stores} stores: there are ${TIGHT16_STORES}`);
    }
    return real16.begin(errand);
  },

  remaining(register) {
    const left = Math.floor((DONE_AT - Number(register("rip"))) / STORE_BYTES);
    return Math.min(Math.max(left, 0), TIGHT16_STORES);
  },
};
