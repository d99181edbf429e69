// A small layout engine for C structs, and the structs of KVM that this program uses.

/** A C scalar of fixed width. */
export type Scalar = "u8" | "u16" | "u32" | "u64";

/** A field's type: a scalar, a struct, or an array of either. */
export type FieldType = Scalar | Struct | readonly [Scalar | Struct, number];

/** A C struct's layout, computed with the rules of the x86-64 System V ABI. */
export interface Struct<Names extends string = string> {
  /** The struct's name in the kernel's headers. */
  readonly name: string;
  /** `sizeof`, in bytes. */
  readonly size: number;
  /** Alignment in bytes. */
  readonly align: number;
  /** `offsetof` each field, in bytes. */
  readonly at: Readonly<Record<Names, number>>;
}

const SCALAR_BYTES: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

function measure(type: FieldType): { size: number; align: number } {
  if (typeof type === "string") return { size: SCALAR_BYTES[type], align: SCALAR_BYTES[type] };
  if (!isArray(type)) return { size: type.size, align: type.align };
  const { size, align } = measure(type[0]);
  return { size: size * type[1], align };
}

// Array.isArray() does not narrow a readonly tuple out of a union.
function isArray(type: FieldType): type is readonly [Scalar | Struct, number] {
  return Array.isArray(type);
}

function roundUp(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

/**
 * Lays out a C struct.
 *
 * @example
 * ```ts
 * import { struct } from "./kvm_structs.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const gfn = struct("kvm_dirty_gfn", { flags: "u32", slot: "u32", offset: "u64" });
 * assertEquals([gfn.size, gfn.at.slot, gfn.at.offset], [16, 4, 8]);
 * ```
 *
 * @param name The struct's name in the kernel's headers.
 * @param fields Its fields in order, with their types.
 * @returns Its size, its alignment and the offsets of its fields, in bytes.
 */
export function struct<Names extends string>(
  name: string,
  fields: Readonly<Record<Names, FieldType>>,
): Struct<Names> {
  const at: Partial<Record<Names, number>> = {};
  let end = 0;
  let align = 1;
  for (const field in fields) {
    const type = measure(fields[field]);
    end = roundUp(end, type.align);
    at[field] = end;
    end += type.size;
    align = Math.max(align, type.align);
  }
  // Every name of `fields` was visited above, so the record is no longer partial.
  return { name, size: roundUp(end, align), align, at: at as Record<Names, number> };
}

// The structs of <linux/kvm.h> and <asm/kvm.h> (x86) that this program uses.
// test/ffi/structs_test.ts pins their sizes and offsets, and compares them with a C compiler's.

/** `struct kvm_enable_cap`, the argument of `KVM_ENABLE_CAP`. */
export const kvm_enable_cap: Struct<"cap" | "flags" | "args" | "pad"> = struct("kvm_enable_cap", {
  cap: "u32",
  flags: "u32",
  args: ["u64", 4],
  pad: ["u8", 64],
});

/** `struct kvm_userspace_memory_region`, the argument of `KVM_SET_USER_MEMORY_REGION`. */
export const kvm_userspace_memory_region: Struct<
  "slot" | "flags" | "guest_phys_addr" | "memory_size" | "userspace_addr"
> = struct("kvm_userspace_memory_region", {
  slot: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
});

/** `struct kvm_dirty_gfn`, one entry of a dirty ring. */
export const kvm_dirty_gfn: Struct<"flags" | "slot" | "offset"> = struct("kvm_dirty_gfn", {
  flags: "u32",
  slot: "u32",
  offset: "u64",
});

/** The name of a general register of `struct kvm_regs`. */
export type Register =
  | "rax"
  | "rbx"
  | "rcx"
  | "rdx"
  | "rsi"
  | "rdi"
  | "rsp"
  | "rbp"
  | "r8"
  | "r9"
  | "r10"
  | "r11"
  | "r12"
  | "r13"
  | "r14"
  | "r15"
  | "rip"
  | "rflags";

/** `struct kvm_regs`, the general registers of an x86 vCPU. */
export const kvm_regs: Struct<Register> = struct("kvm_regs", {
  rax: "u64",
  rbx: "u64",
  rcx: "u64",
  rdx: "u64",
  rsi: "u64",
  rdi: "u64",
  rsp: "u64",
  rbp: "u64",
  r8: "u64",
  r9: "u64",
  r10: "u64",
  r11: "u64",
  r12: "u64",
  r13: "u64",
  r14: "u64",
  r15: "u64",
  rip: "u64",
  rflags: "u64",
});

/** `struct kvm_segment`, a segment register with its hidden part. */
export const kvm_segment: Struct<
  | "base"
  | "limit"
  | "selector"
  | "type"
  | "present"
  | "dpl"
  | "db"
  | "s"
  | "l"
  | "g"
  | "avl"
  | "unusable"
  | "padding"
> = struct("kvm_segment", {
  base: "u64",
  limit: "u32",
  selector: "u16",
  type: "u8",
  present: "u8",
  dpl: "u8",
  db: "u8",
  s: "u8",
  l: "u8",
  g: "u8",
  avl: "u8",
  unusable: "u8",
  padding: "u8",
});

/** `struct kvm_dtable`, a descriptor-table register. */
export const kvm_dtable: Struct<"base" | "limit" | "padding"> = struct("kvm_dtable", {
  base: "u64",
  limit: "u16",
  padding: ["u16", 3],
});

/** `struct kvm_sregs`, the segment, table and control registers of an x86 vCPU. */
export const kvm_sregs: Struct<
  | "cs"
  | "ds"
  | "es"
  | "fs"
  | "gs"
  | "ss"
  | "tr"
  | "ldt"
  | "gdt"
  | "idt"
  | "cr0"
  | "cr2"
  | "cr3"
  | "cr4"
  | "cr8"
  | "efer"
  | "apic_base"
  | "interrupt_bitmap"
> = struct("kvm_sregs", {
  cs: kvm_segment,
  ds: kvm_segment,
  es: kvm_segment,
  fs: kvm_segment,
  gs: kvm_segment,
  ss: kvm_segment,
  tr: kvm_segment,
  ldt: kvm_segment,
  gdt: kvm_dtable,
  idt: kvm_dtable,
  cr0: "u64",
  cr2: "u64",
  cr3: "u64",
  cr4: "u64",
  cr8: "u64",
  efer: "u64",
  apic_base: "u64",
  interrupt_bitmap: ["u64", 4],
});

/**
 * The head of `struct kvm_run`, which a vCPU shares with user space. `exit` is the start of the
 * union with the details of an exit, such as `suberror` of `KVM_EXIT_INTERNAL_ERROR` and
 * `hardware_entry_failure_reason` of `KVM_EXIT_FAIL_ENTRY`.
 */
export const kvm_run: Struct<
  | "request_interrupt_window"
  | "immediate_exit"
  | "padding1"
  | "exit_reason"
  | "ready_for_interrupt_injection"
  | "if_flag"
  | "flags"
  | "cr8"
  | "apic_base"
  | "exit"
> = struct("kvm_run", {
  request_interrupt_window: "u8",
  immediate_exit: "u8",
  padding1: ["u8", 6],
  exit_reason: "u32",
  ready_for_interrupt_injection: "u8",
  if_flag: "u8",
  flags: "u16",
  cr8: "u64",
  apic_base: "u64",
  exit: "u64",
});

/** `struct kvm_cpuid_entry2`, a leaf of the CPUID that a vCPU sees. */
export const kvm_cpuid_entry2: Struct<
  "function" | "index" | "flags" | "eax" | "ebx" | "ecx" | "edx" | "padding"
> = struct("kvm_cpuid_entry2", {
  function: "u32",
  index: "u32",
  flags: "u32",
  eax: "u32",
  ebx: "u32",
  ecx: "u32",
  edx: "u32",
  padding: ["u32", 3],
});

/** The head of `struct kvm_cpuid2`; `nent` structs `kvm_cpuid_entry2` follow it. */
export const kvm_cpuid2: Struct<"nent" | "padding"> = struct("kvm_cpuid2", {
  nent: "u32",
  padding: "u32",
});

/** `struct kvm_pre_fault_memory`, the argument of `KVM_PRE_FAULT_MEMORY`. */
export const kvm_pre_fault_memory: Struct<"gpa" | "size" | "flags" | "padding"> = struct(
  "kvm_pre_fault_memory",
  { gpa: "u64", size: "u64", flags: "u64", padding: ["u64", 5] },
);

/** `struct kvm_msr_entry`, a model-specific register and its value. */
export const kvm_msr_entry: Struct<"index" | "reserved" | "data"> = struct("kvm_msr_entry", {
  index: "u32",
  reserved: "u32",
  data: "u64",
});

/** The head of `struct kvm_msrs`; `nmsrs` structs `kvm_msr_entry` follow it. */
export const kvm_msrs: Struct<"nmsrs" | "pad"> = struct("kvm_msrs", { nmsrs: "u32", pad: "u32" });

/** `struct kvm_create_guest_memfd`, the argument of `KVM_CREATE_GUEST_MEMFD`. */
export const kvm_create_guest_memfd: Struct<"size" | "flags" | "reserved"> = struct(
  "kvm_create_guest_memfd",
  { size: "u64", flags: "u64", reserved: ["u64", 6] },
);

/** `struct kvm_userspace_memory_region2`, the argument of `KVM_SET_USER_MEMORY_REGION2`. */
export const kvm_userspace_memory_region2: Struct<
  | "slot"
  | "flags"
  | "guest_phys_addr"
  | "memory_size"
  | "userspace_addr"
  | "guest_memfd_offset"
  | "guest_memfd"
  | "pad1"
  | "pad2"
> = struct("kvm_userspace_memory_region2", {
  slot: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
  guest_memfd_offset: "u64",
  guest_memfd: "u32",
  pad1: "u32",
  pad2: ["u64", 14],
});

/** `struct kvm_dirty_log`, the argument of `KVM_GET_DIRTY_LOG`. */
export const kvm_dirty_log: Struct<"slot" | "padding1" | "dirty_bitmap"> = struct("kvm_dirty_log", {
  slot: "u32",
  padding1: "u32",
  dirty_bitmap: "u64",
});

/** `struct kvm_clear_dirty_log`, the argument of `KVM_CLEAR_DIRTY_LOG`. */
export const kvm_clear_dirty_log: Struct<"slot" | "num_pages" | "first_page" | "dirty_bitmap"> =
  struct("kvm_clear_dirty_log", {
    slot: "u32",
    num_pages: "u32",
    first_page: "u64",
    dirty_bitmap: "u64",
  });

/** The head of `struct kvm_signal_mask`; `len` bytes of the kernel's `sigset_t` follow it. */
export const kvm_signal_mask: Struct<"len"> = struct("kvm_signal_mask", { len: "u32" });
