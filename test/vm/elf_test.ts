// Reading ELF files, intact or damaged: there is an answer or none, but never an error.
import { assert, assertEquals } from "@std/assert";
import { Elf } from "../../vm/elf.ts";
import { modinfo } from "../../vm/kernel_modules.ts";
import fc from "../support/fast_check.ts";
import { elfFile, moduleFile } from "../support/vm_files.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/**
 * A library: its name stands in the string table, which the dynamic section finds by its address.
 */
function library(): Uint8Array {
  const dynamic = new BigUint64Array([14n, 6n, 5n, 0x5000n, 0n, 0n, 14n, 0n]);
  return elfFile({
    segments: [
      { type: 3, content: encode("/lib64/ld-linux-x86-64.so.2\0") },
      { type: 1, address: 0x5000, content: encode("\0abcd\0libx.so.1\0") },
      { type: 2, content: new Uint8Array(dynamic.buffer) },
    ],
  });
}

/** All that is asked of a file. */
function ask(bytes: Uint8Array) {
  const elf = Elf.of(bytes);
  return elf && {
    interpreter: elf.interpreter,
    soname: elf.soname,
    sections: [".modinfo", ".text", ".none"].map((name) => elf.section(name)?.length),
    tags: [...modinfo(bytes)],
  };
}

Deno.test("a program's loader, a library's name, a section", () => {
  const elf = Elf.of(library())!;
  assertEquals([elf.interpreter, elf.soname], ["/lib64/ld-linux-x86-64.so.2", "libx.so.1"]);
  const module = Elf.of(moduleFile("6.12.1", "kvm"))!;
  assertEquals([module.interpreter, module.soname, module.section(".data")], [null, null, null]);
  assertEquals(module.section(".text"), new Uint8Array(32));
});

Deno.test("the tags of a module: the first of each name", () => {
  const section = encode(
    "depends=kvm,irqbypass\0author=A\0author=B\0empty=\0=x\0noise\0vermagic=6.1 SMP\0",
  );
  const tags = modinfo(elfFile({ sections: { ".modinfo": section } }));
  assertEquals([...tags], [
    ["depends", "kvm,irqbypass"],
    ["author", "A"],
    ["empty", ""],
    ["vermagic", "6.1 SMP"],
  ]);
  assertEquals([...modinfo(encode("no module"))], []);
});

Deno.test("what is no 64-bit ELF file is none", () => {
  const elf = library();
  assertEquals(Elf.of(elf.subarray(0, 63)), null);
  assertEquals(Elf.of(new Uint8Array(100)), null);
  const narrow = elf.slice();
  narrow[4] = 1;
  assertEquals(Elf.of(narrow), null);
});

Deno.test("a file that is cut off anywhere is an answer, or none", () => {
  for (const bytes of [library(), moduleFile("6.12.1", "kvm")]) {
    for (let end = 0; end < bytes.length; end++) ask(bytes.subarray(0, end));
  }
});

Deno.test("a file with any bytes flipped is an answer, or none", () => {
  const files = [library(), moduleFile("6.12.1", "kvm")];
  let others = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat({ max: 700 }), fc.integer({ min: 1, max: 255 })), { maxLength: 6 }),
      (file, flips) => {
        const bytes = file.slice();
        for (const [at, flip] of flips) bytes[at % bytes.length]! ^= flip;
        if (JSON.stringify(ask(bytes)) !== JSON.stringify(ask(file))) others++;
      },
    ),
    { numRuns: 500 },
  );
  assert(others > 50, "the flips reach what is read");
});

Deno.test("offsets and counts of any size are an answer, or none", () => {
  // Of the header (e_phoff, e_shoff, the counts, e_shstrndx) and the first entries of its tables.
  const places = [0x20, 0x28, 0x36, 0x38, 0x3a, 0x3c, 0x3e, 0x48, 0x50, 0x60, 0x80, 0x98, 0xd8];
  for (const file of [library(), moduleFile("6.12.1", "kvm")]) {
    for (const at of places) {
      for (const value of [0n, 0xffffn, 2n ** 64n - 1n]) {
        const bytes = file.slice();
        new DataView(bytes.buffer).setBigUint64(at, value, true);
        ask(bytes);
      }
    }
  }
});
