// The real-mode guest, and a variant of it whose stores are as dense as possible.
import { kvm_segment, kvm_sregs } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import {
  type Errand,
  type Guest,
  type Listing,
  machineCode,
  offsetOf,
  storesLeft,
} from "./guest.ts";

const CODE_AT = 0x1000;
const LIST_AT = 0x2000;

// esi: next list element   ecx: stores left   ebx: the value   ebp: added to the value
//
// Eighteen instructions for each store, twelve of them padding. A KVM that emulates real mode may
// run 1024 instructions before it checks the ring again, and each store pushes. With 64 reserved
// entries (KVM_DIRTY_RING_RSVD_ENTRIES), fewer than 16 instructions for each store could overflow
// the ring. On hardware the padding costs a few cycles.
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
 * The real-mode guest: 16-bit code with 32-bit operands and addresses, whose segments cover the
 * first 4 GiB ("unreal mode"). Processors run it natively; a KVM without real mode emulates it, and
 * then every store pushes an entry.
 */
export const real16: Guest = {
  name: "real16",
  exit: "KVM_EXIT_HLT",
  code: machineCode(REAL16_LISTING),
  codeAt: CODE_AT,
  listAt: LIST_AT,
  listElement: 4,
  // KVM needs the last 272 KiB below 4 GiB if the processor cannot run real mode (REAL_MODE_LIMIT).
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

/** The number of stores of {@linkcode tight16}, which takes no other errand. */
export const TIGHT16_STORES = 160;

/**
 * Bytes of a store instruction: prefixes, opcode and ModRM are four, the displacement is four more.
 */
const STORE_BYTES = 8;

// esi: the address of the list, then of the first page   ebx: the value
//
// One instruction for each store, the densest code without `rep`. A KVM that emulates real mode
// runs many of them before it checks the ring again, which `real16` avoids with its padding.
const STORES = Array.from({ length: TIGHT16_STORES }, (_, n) => {
  const by = n * PAGE_SIZE;
  const displacement = [by & 0xff, (by >> 8) & 0xff, (by >> 16) & 0xff, by >>> 24];
  return [
    [0x67, 0x66, 0x89, 0x9e, ...displacement],
    `       mov  [esi + 0x${by.toString(16)}], ebx`,
  ] as const;
});

/** The program: bytes and assembly, a line each. */
const TIGHT16_LISTING: Listing = [
  [[0x67, 0x66, 0x8b, 0x36], "start: mov  esi, [esi]     ; the address of the first page"],
  ...STORES,
  [[0xf4], "done:  hlt"],
];

const DONE_AT = real16.codeAt + offsetOf(TIGHT16_LISTING, "done:");

/**
 * A real-mode guest that can overflow a ring where real mode is emulated (`full.overflow` of
 * docs/abi.md). It stores one value to {@linkcode TIGHT16_STORES} consecutive pages, and reads only
 * the first element of its list. It keeps the name `real16`.
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
