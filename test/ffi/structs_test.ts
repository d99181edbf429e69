import { assertEquals } from "@std/assert";
import * as constants from "../../ffi/kvm_constants.ts";
import * as ioctls from "../../ffi/kvm_ioctls.ts";
import * as structs from "../../ffi/kvm_structs.ts";
import type { Struct } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { ENTRY_BYTES, PAGE_BYTES } from "../../report/table.ts";
import { DIRTY, ENTRY_WORDS, HARVESTED, OFFSET, PAGE_WORDS, SLOT } from "../../ring/entry.ts";
import { comparedByC } from "../support/c_program.ts";
import { testUnless } from "../support/live.ts";

const STRUCTS = Object.values(structs).filter((one) => typeof one === "object");

Deno.test("struct layouts are those of <linux/kvm.h> and <asm/kvm.h>", () => {
  const sizes = Object.fromEntries(STRUCTS.map(({ name, size }) => [name, size]));
  assertEquals(sizes, {
    kvm_enable_cap: 104,
    kvm_msr_entry: 16,
    kvm_msrs: 8, // its head: entries follow
    kvm_pre_fault_memory: 64,
    kvm_userspace_memory_region2: 160,
    kvm_userspace_memory_region: 32,
    kvm_clear_dirty_log: 24,
    kvm_cpuid2: 8, // its head: entries follow
    kvm_cpuid_entry2: 40,
    kvm_create_guest_memfd: 64,
    kvm_dirty_gfn: 16,
    kvm_dirty_log: 16,
    kvm_regs: 144,
    kvm_segment: 24,
    kvm_dtable: 16,
    kvm_signal_mask: 4,
    kvm_sregs: 312,
    kvm_run: 40, // its head: the union of exits follows
  });
  assertEquals(structs.kvm_enable_cap.at, { cap: 0, flags: 4, args: 8, pad: 40 });
  assertEquals(structs.kvm_dirty_gfn.at, { flags: 0, slot: 4, offset: 8 });
  assertEquals(structs.kvm_regs.at.rip, 128);
  assertEquals([structs.kvm_sregs.at.gdt, structs.kvm_sregs.at.cr0], [192, 224]);
  assertEquals([structs.kvm_run.at.exit_reason, structs.kvm_run.at.exit], [8, 32]);
});

Deno.test("ioctl numbers are computed right", () => {
  assertEquals(ioctls, {
    KVM_GET_API_VERSION: 0xae00,
    KVM_CREATE_VM: 0xae01,
    KVM_CHECK_EXTENSION: 0xae03,
    KVM_GET_VCPU_MMAP_SIZE: 0xae04,
    KVM_CREATE_VCPU: 0xae41,
    KVM_SET_USER_MEMORY_REGION: 0x4020ae46,
    KVM_ENABLE_CAP: 0x4068aea3,
    KVM_RESET_DIRTY_RINGS: 0xaec7,
    KVM_SET_TSS_ADDR: 0xae47,
    KVM_SET_IDENTITY_MAP_ADDR: 0x4008ae48,
    KVM_SET_CPUID2: 0x4008ae90,
    KVM_RUN: 0xae80,
    KVM_GET_REGS: 0x8090ae81,
    KVM_SET_REGS: 0x4090ae82,
    KVM_GET_SREGS: 0x8138ae83,
    KVM_SET_SREGS: 0x4138ae84,
    KVM_GET_DIRTY_LOG: 0x4010ae42,
    KVM_CLEAR_DIRTY_LOG: 0xc018aec0,
    KVM_GET_STATS_FD: 0xaece,
    KVM_SET_USER_MEMORY_REGION2: 0x40a0ae49,
    KVM_CREATE_GUEST_MEMFD: 0xc040aed4,
    KVM_SET_MSRS: 0x4008ae89,
    KVM_PRE_FAULT_MEMORY: 0xc040aed5,
    KVM_SET_SIGNAL_MASK: 0x4004ae8b,
    KVM_SMI: 0xaeb7,
  });
});

Deno.test("the words of a ring entry are those of kvm_dirty_gfn", () => {
  assertEquals([ENTRY_WORDS * 4, ENTRY_BYTES], Array(2).fill(structs.kvm_dirty_gfn.size));
  assertEquals([PAGE_WORDS * 4, PAGE_BYTES], Array(2).fill(PAGE_SIZE));
  assertEquals([SLOT * 4, OFFSET * 4], [
    structs.kvm_dirty_gfn.at.slot,
    structs.kvm_dirty_gfn.at.offset,
  ]);
  assertEquals([DIRTY, HARVESTED], [
    constants.KVM_DIRTY_GFN_F_DIRTY,
    constants.KVM_DIRTY_GFN_F_RESET,
  ]);
});

const COMPILER = await (async () => {
  try {
    const probe = new Deno.Command("cc", {
      args: ["-E", "-x", "c", "-include", "linux/kvm.h", "/dev/null"],
      stdout: "null",
      stderr: "null",
    });
    return (await probe.output()).success ? null : "cc finds no <linux/kvm.h>";
  } catch {
    return "no C compiler";
  }
})();

/** Structs that came after v6.1, with a request of the same release: older headers have neither. */
const NEWER: Readonly<Record<string, string>> = {
  kvm_create_guest_memfd: "KVM_CREATE_GUEST_MEMFD",
  kvm_pre_fault_memory: "KVM_PRE_FAULT_MEMORY",
  kvm_userspace_memory_region2: "KVM_SET_USER_MEMORY_REGION2",
};

// A C program that prints what the headers say, for everything that the tables name.
function program(): string {
  const lines = STRUCTS.flatMap(({ name, at, size }: Struct) => [
    name in NEWER ? `#ifdef ${NEWER[name]}` : "",
    // kvm_run goes on behind its head, and `exit` is a name of ours for the union.
    name === "kvm_run" ? "" : `printf("${name} %zu ${size}\\n", sizeof(struct ${name}));`,
    ...Object.entries(at).filter(([field]) => name !== "kvm_run" || field !== "exit")
      .map(([field, offset]) =>
        `printf("${name}.${field} %zu ${offset}\\n", offsetof(struct ${name}, ${field}));`
      ),
    name in NEWER ? "#endif" : "",
  ]);
  const numbers = Object.entries({ ...ioctls, ...constants }).map(([name, value]) =>
    `#ifdef ${name}\nprintf("${name} %lu ${value}\\n", (unsigned long)${name});\n#endif`
  );
  return `#include <stddef.h>\n#include <stdio.h>\n#include <linux/kvm.h>\n` +
    `int main(void) {\n${[...lines, ...numbers].join("\n")}\nreturn 0;\n}\n`;
}

testUnless(COMPILER, "structs and numbers are those that a C compiler sees", async () => {
  const lines = await comparedByC(program());
  // Old headers lack the newest capabilities; all else must have been compared.
  assertEquals(lines.length > 90, true, `${lines.length} compared`);
});
