// The long-mode guest, and two variants of it that tests and measurements use: a reader and a
// spinner.
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

const GIB = 2 ** 30;

// Memory below the access list: the code, one page-map level 4, one page-directory-pointer table,
// and a page directory for each GiB, with 2 MiB pages, as not every KVM has 1 GiB pages. With the
// CPUID of kvm/vcpu.ts a vCPU has 36 bits of physical address: higher bits of an entry are
// reserved.
const GIBS = 64;
const CODE_AT = 0x1000;
const PML4_AT = 0x2000;
const PDPT_AT = 0x3000;
const PD_AT = 0x4000;
const LIST_AT = PD_AT + GIBS * PAGE_SIZE;

// Page-table bits: present, writable, user. Accessed and dirty are set from the start, so that the
// processor never writes to the page tables.
const TABLE = 0x27;
const LARGE_PAGE = 0xe7;
const LARGE_PAGE_BYTES = 2 * 2 ** 20;

// rsi: next list element   rcx: stores left   ebx: the value   ebp: added to the value

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
 * The long-mode guest: 64-bit code at CPL 3 with IOPL 3 on identity page tables, which ends with
 * OUT. Every KVM runs it natively, so that a page is pushed only once before it is reset.
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
    // As 32-bit words, the low one first: writing 32768 entries as bigints would take milliseconds.
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
    // Flat segments for CPL 3: type 11 is code, execute and read, accessed; 3 is data, read and
    // write.
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

/** In the same page as the long-mode program. */
const READER_AT = long64.codeAt + 0x800;

/** The long-mode program with a load in place of its store. */
const READER64_LISTING: Listing = LONG64_LISTING.map((line) =>
  line[1].includes("the store")
    ? [[0x8b, 0x38], "       mov  edi, [rax]     ; in place of the store"]
    : line
);

/**
 * A variant of the long-mode guest that reads: it walks its list and loads the first word of each
 * page. The `stores` of an errand are its loads. `long64` itself is in memory, too, so that
 * `long64.begin` can run it on the same list. It keeps the name `long64`.
 */
export const reader64: Guest = {
  ...long64,
  code: machineCode(READER64_LISTING),
  codeAt: READER_AT,

  place(memory) {
    long64.place(memory);
    memory.set(reader64.code, READER_AT);
  },

  begin: (errand) => ({ ...long64.begin(errand), rip: BigInt(READER_AT) }),

  remaining: storesLeft(READER64_LISTING, READER_AT),
};

/** In the same page as the long-mode program. */
const SPINNER_AT = long64.codeAt + 0xc00;

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

const DONE_AT = SPINNER_AT + offsetOf(SPINNER64_LISTING, "done:");

/**
 * A variant of the long-mode guest that stores to a single page without end. It reads two elements
 * of its list: the address of that page, and of a page whose first word is 0 until it has to stop.
 * It keeps the name `long64`.
 */
export const spinner64: Guest = {
  ...long64,
  code: machineCode(SPINNER64_LISTING),
  codeAt: SPINNER_AT,

  place(memory) {
    long64.place(memory);
    memory.set(spinner64.code, SPINNER_AT);
  },

  begin: (errand) => ({ ...long64.begin(errand), rip: BigInt(SPINNER_AT) }),

  // It ends only when it is told to: until then at least one store is left.
  remaining: (register) => Number(register("rip")) < DONE_AT ? 1 : 0,
};
