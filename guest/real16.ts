import { kvm_segment, kvm_sregs } from "../ffi/kvm_structs.ts";
import type { Errand, Guest } from "./guest.ts";
import { type Listing, machineCode, storesLeft } from "./listing.ts";

const CODE_AT = 0x1000;
const LIST_AT = 0x2000;

// esi: next list element   ecx: stores left   ebx: the value   ebp: added to the value after a store
//
// Eighteen instructions a store, twelve of them padding. A KVM that emulates real mode may run 1024
// instructions before it looks at the ring again, and each store pushes: with 64 reserved entries
// (KVM_DIRTY_RING_RSVD_ENTRIES) fewer than 16 instructions a store can overflow the ring. On hardware
// the padding costs a few cycles.
const PADDING = 12;

/** The program: bytes and assembly, a line each. */
export const REAL16_LISTING: Listing = [
  [[0x67, 0xe3, 0x1f], "start: jecxz done           ; nothing to do"],
  [[0x67, 0x66, 0x8b, 0x06], "next:  mov  eax, [esi]     ; the address of the next page"],
  [[0x66, 0x83, 0xc6, 0x04], "       add  esi, 4"],
  [[0x67, 0x66, 0x89, 0x18], "       mov  [eax], ebx     ; the store"],
  [[0x66, 0x01, 0xeb], "       add  ebx, ebp       ; the value grows"],
  ...Array.from({ length: PADDING }, () => [[0x90], "       nop"] as const),
  [[0x66, 0x49], "       dec  ecx            ; the count"],
  [[0x75, 0xe1], "       jnz  next"],
  [[0xf4], "done:  hlt"],
];

const SEGMENTS = ["cs", "ds", "es", "fs", "gs", "ss"] as const;

/**
 * The real-mode guest: 16-bit code with 32-bit operands and addresses, whose segments reach all of the
 * first 4 GiB ("unreal mode"). Processors run it as it is; a KVM without real mode emulates it, and then
 * every store pushes an entry.
 */
export const real16: Guest = {
  name: "real16",
  exit: "KVM_EXIT_HLT",
  code: machineCode(REAL16_LISTING),
  codeAt: CODE_AT,
  listAt: LIST_AT,
  listElement: 4,
  // The last 272 KiB below 4 GiB are KVM's where the processor cannot run real mode (REAL_MODE_LIMIT).
  addressLimit: 0xfffb_c000,
  limitReason:
    "a real-mode guest reaches 4GiB with its 32-bit addresses, less 272KiB that KVM may need",

  place(memory) {
    memory.set(real16.code, CODE_AT);
  },

  prepare(sregs) {
    for (const name of SEGMENTS) {
      const at = kvm_sregs.at[name];
      sregs.setBigUint64(at + kvm_segment.at.base, 0n, true);
      sregs.setUint32(at + kvm_segment.at.limit, 0xffff_ffff, true);
      sregs.setUint16(at + kvm_segment.at.selector, 0, true);
      sregs.setUint8(at + kvm_segment.at.g, 1); // the limit counts 4 KiB units
    }
  },

  begin: ({ list, stores, value, step }: Errand) => ({
    rip: BigInt(CODE_AT),
    rflags: 2n, // bit 1 is always set
    rsi: BigInt(list),
    rcx: BigInt(stores),
    rbx: BigInt(value),
    rbp: BigInt(step),
  }),

  remaining: storesLeft(REAL16_LISTING, CODE_AT),
};
