import { kvm_segment, kvm_sregs } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Errand, Guest } from "./guest.ts";
import { type Listing, machineCode, storesLeft } from "./listing.ts";

const GIB = 2 ** 30;

// What lies below the access list: the code, one page-map level 4, one page-directory-pointer table, and
// a page directory for each GiB, with 2 MiB pages (1 GiB ones are not found on every KVM).
// The CPUID of kvm/cpuid.ts leaves a vCPU 36 bits of physical address; an entry for more is a reserved bit to it.
const GIBS = 64;
const CODE_AT = 0x1000;
const PML4_AT = 0x2000;
const PDPT_AT = 0x3000;
const PD_AT = 0x4000;
const LIST_AT = PD_AT + GIBS * PAGE_SIZE;

// Page-table bits: present, writable, user; accessed and dirty are set from the start, so that the
// processor has nothing to write there.
const TABLE = 0x27;
const LARGE_PAGE = 0xe7;
const LARGE_PAGE_BYTES = 2 * 2 ** 20;

// rsi: next list element   rcx: stores left   ebx: the value   ebp: added to the value after a store

/** The program: bytes and assembly, a line each. */
export const LONG64_LISTING: Listing = [
  [[0xe3, 0x10], "start: jrcxz done           ; nothing to do"],
  [[0x48, 0x8b, 0x06], "next:  mov  rax, [rsi]     ; the address of the next page"],
  [[0x48, 0x83, 0xc6, 0x08], "       add  rsi, 8"],
  [[0x89, 0x18], "       mov  [rax], ebx     ; the store"],
  [[0x01, 0xeb], "       add  ebx, ebp       ; the value grows"],
  [[0x48, 0xff, 0xc9], "       dec  rcx            ; the count"],
  [[0x75, 0xf0], "       jnz  next"],
  [[0xe6, 0x10], "done:  out  0x10, al       ; HLT is not for CPL 3"],
];

const CR0_PE_PG = 0x8000_0001n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;
const RFLAGS_IOPL_3 = 0x3002n; // so that CPL 3 may use OUT; bit 1 is always set

/**
 * The long-mode guest: 64-bit code at CPL 3 with IOPL 3 over identity page tables, ended by OUT. Every
 * kind of KVM runs it natively, so that a page is pushed once until its reset.
 */
export const long64: Guest = {
  name: "long64",
  exit: "KVM_EXIT_IO",
  code: machineCode(LONG64_LISTING),
  codeAt: CODE_AT,
  listAt: LIST_AT,
  listElement: 8,
  addressLimit: GIBS * GIB,
  limitReason: `a long-mode guest reaches ${GIBS}GiB with its 36-bit addresses`,

  place(memory) {
    memory.set(long64.code, CODE_AT);
    // Words of 32 bits, the low one first: 32768 entries of 64 bits as bigints would take milliseconds.
    const words = new Uint32Array(memory.buffer, memory.byteOffset, LIST_AT / 4);
    const entry = (at: number, address: number, flags: number) => {
      words[at / 4] = address + flags; // its low 32 bits
      words[at / 4 + 1] = Math.floor(address / 2 ** 32);
    };
    entry(PML4_AT, PDPT_AT, TABLE);
    for (let gib = 0; gib < GIBS; gib++) {
      const directory = PD_AT + gib * PAGE_SIZE;
      entry(PDPT_AT + gib * 8, directory, TABLE);
      for (let n = 0; n < 512; n++) {
        entry(directory + n * 8, gib * GIB + n * LARGE_PAGE_BYTES, LARGE_PAGE);
      }
    }
  },

  prepare(sregs) {
    // Flat segments for CPL 3: type 11 is code, execute and read, accessed; 3 is data, read and write.
    const segment = (name: "cs" | "ds" | "es" | "ss", type: number, selector: number) => {
      const at = kvm_sregs.at[name];
      const { base, limit, selector: selectorAt } = kvm_segment.at;
      sregs.setBigUint64(at + base, 0n, true);
      sregs.setUint32(at + limit, 0xffff_ffff, true);
      sregs.setUint16(at + selectorAt, selector, true);
      const isCode = name === "cs" ? 1 : 0;
      const fields = { type, present: 1, dpl: 3, db: 1 - isCode, s: 1, l: isCode, g: 1 } as const;
      for (const [field, value] of Object.entries(fields)) {
        // The keys of `fields` are fields of the struct.
        sregs.setUint8(at + kvm_segment.at[field as keyof typeof fields], value);
      }
    };
    segment("cs", 11, 0x33);
    for (const name of ["ds", "es", "ss"] as const) segment(name, 3, 0x2b);
    sregs.setBigUint64(kvm_sregs.at.cr0, CR0_PE_PG, true);
    sregs.setBigUint64(kvm_sregs.at.cr3, BigInt(PML4_AT), true);
    sregs.setBigUint64(kvm_sregs.at.cr4, CR4_PAE, true);
    sregs.setBigUint64(kvm_sregs.at.efer, EFER_LME_LMA, true);
  },

  begin: ({ list, stores, value, step }: Errand) => ({
    rip: BigInt(CODE_AT),
    rflags: RFLAGS_IOPL_3,
    rsi: BigInt(list),
    rcx: BigInt(stores),
    rbx: BigInt(value),
    rbp: BigInt(step),
  }),

  remaining: storesLeft(LONG64_LISTING, CODE_AT),
};
