import type { Guest } from "./guest.ts";
import { type Listing, machineCode, storesLeft } from "./listing.ts";
import { long64, LONG64_LISTING } from "./long64.ts";

/** Beside the long-mode program, in the same page. */
const CODE_AT = long64.codeAt + 0x800;

/** The program: the long-mode one, which loads where that stores. */
export const READER64_LISTING: Listing = LONG64_LISTING.map((line) =>
  line[1].includes("the store")
    ? [[0x8b, 0x38], "       mov  edi, [rax]     ; in place of the store"]
    : line
);

/**
 * The long-mode guest as a reader: it walks its list and loads the first word of each page. What an errand
 * calls stores are its loads. Beside it lies the program that stores, which `long64.begin` begins on the
 * same list; it also goes by that guest's name.
 */
export const reader64: Guest = {
  ...long64,
  code: machineCode(READER64_LISTING),
  codeAt: CODE_AT,

  place(memory) {
    long64.place(memory);
    memory.set(reader64.code, CODE_AT);
  },

  begin: (errand) => ({ ...long64.begin(errand), rip: BigInt(CODE_AT) }),

  remaining: storesLeft(READER64_LISTING, CODE_AT),
};
