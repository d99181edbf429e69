import type { Guest } from "./guest.ts";
import { type Listing, machineCode, offsetOf } from "./listing.ts";
import { long64 } from "./long64.ts";

/** Beside the long-mode program, in the same page. */
const CODE_AT = long64.codeAt + 0xc00;

/** The program: bytes and assembly, a line each. */
export const SPINNER64_LISTING: Listing = [
  [[0x48, 0x8b, 0x06], "start: mov  rax, [rsi]     ; the page to store to"],
  [[0x48, 0x8b, 0x56, 0x08], "       mov  rdx, [rsi + 8] ; the page that says when to stop"],
  [[0x89, 0x18], "next:  mov  [rax], ebx     ; the store"],
  [[0x01, 0xeb], "       add  ebx, ebp       ; the value grows"],
  [[0x83, 0x3a, 0x00], "       cmp  dword [rdx], 0"],
  [[0x74, 0xf7], "       jz   next"],
  [[0xe6, 0x10], "done:  out  0x10, al       ; HLT is not for CPL 3"],
];

const DONE_AT = CODE_AT + offsetOf(SPINNER64_LISTING, "done:");

/**
 * The long-mode guest as one that stores to a single page without end: of its list it reads two elements,
 * that page and one whose first word is 0 until it shall stop. It goes by the long-mode guest's name.
 */
export const spinner64: Guest = {
  ...long64,
  code: machineCode(SPINNER64_LISTING),
  codeAt: CODE_AT,

  place(memory) {
    long64.place(memory);
    memory.set(spinner64.code, CODE_AT);
  },

  begin: (errand) => ({ ...long64.begin(errand), rip: BigInt(CODE_AT) }),

  // How many there will be, whoever stops it decides.
  remaining: (register) => Number(register("rip")) < DONE_AT ? 1 : 0,
};
