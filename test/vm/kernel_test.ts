// Kernels as a person names them: what is found, and the error message if there is no kernel.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UsageError } from "../../host/errors.ts";
import { kernelImage } from "../../vm/elf.ts";
import { findKernel } from "../../vm/kernel_source.ts";
import { KernelFileError } from "../../vm/vm_failure.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";
import { bzImage, elfFile } from "../support/vm_files.ts";

const RELEASE = "6.12.1-test+";
const encode = (text: string) => new TextEncoder().encode(text);

/** Bytes that have a text somewhere. */
function withText(at: number, text: string): Uint8Array {
  const bytes = new Uint8Array(1024);
  bytes.set(encode(text), at);
  return bytes;
}

/** The first file of 32 bits that elf(5) knows. */
function narrowElf(): Uint8Array {
  const bytes = elfFile({ machine: 3 });
  bytes[4] = 1;
  return bytes;
}

Deno.test("kernelImage() reads the release of a bzImage", () => {
  assertEquals(kernelImage("k", bzImage(RELEASE)), { path: "k", release: RELEASE });
  assertEquals(kernelImage("k", bzImage("6.1.0", { protocol: 0x20c })), {
    path: "k",
    release: "6.1.0",
  });
});

Deno.test("kernelImage() says what a file is instead, and what was expected", () => {
  const noMagic = bzImage(RELEASE);
  noMagic[0x202] = 0;
  const noFlag = bzImage(RELEASE);
  noFlag[0x1fe] = 0;
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [bzImage(RELEASE, { loadFlags: 0 }), /32-bit x86; expected one with CONFIG_64BIT=y/],
    [bzImage(RELEASE, { protocol: 0x20b }), /32-bit x86/],
    [bzImage(RELEASE).subarray(0, 0x400), /is cut off.*build it anew/],
    [bzImage(""), /is cut off/],
    [bzImage(RELEASE).subarray(0, 0x237), /is no kernel image/],
    [noMagic, /is no kernel image; expected arch\/x86\/boot\/bzImage/],
    [noFlag, /is no kernel image/],
    [withText(0x38, "ARMd"), /is a kernel for arm64; .* of x86-64/],
    [withText(0x38, "RSC\x05"), /is a kernel for riscv64/],
    [elfFile({}), /ELF file, such as vmlinux; expected .*`make bzImage`/],
    [elfFile({ machine: 183 }), /for arm64/],
    [elfFile({ machine: 243 }), /for riscv/],
    [narrowElf(), /for i386/],
    [encode("\x7fELF"), /ELF file/],
    [new Uint8Array([0x1f, 0x8b, 8]), /gzip file, perhaps of another architecture/],
    [encode("!<arch>\ndebian-binary"), /is a package; unpack it \(dpkg -x FILE DIR\)/],
    [new Uint8Array(0), /is empty/],
    [encode("#!/bin/sh\n"), /is no kernel image/],
  ];
  for (const [bytes, expected] of cases) {
    const answer = kernelImage("k", bytes);
    assert(typeof answer === "string", `${expected}`);
    assertMatch(answer, expected);
  }
});

Deno.test("kernelImage() answers whatever a bzImage is cut to, and wherever its release stands", () => {
  const whole = bzImage(RELEASE);
  const length = 0x801 + `${RELEASE} (someone@somewhere) #1 SMP`.length;
  for (let end = 0; end <= whole.length; end++) {
    const answer = kernelImage("k", whole.subarray(0, end));
    if ((typeof answer === "object") !== (end >= length)) throw new Error(`${end}: ${answer}`);
  }
  for (const at of [0xffff, 0xe00, 0]) {
    const bytes = bzImage(RELEASE);
    new DataView(bytes.buffer).setUint16(0x20e, at, true);
    kernelImage("k", bytes);
  }
});

const found = async (path: string, modules: string | null = null) => {
  const { image, modules: folder } = await findKernel(path, modules);
  return [image.path, folder, image.release];
};

Deno.test("--kernel names an image, a built tree, or an unpacked package", async () => {
  await using folder = await Folder.make();
  const at = folder.path;
  const image = await folder.write("tree/arch/x86/boot/bzImage", bzImage(RELEASE));
  assertEquals(await found(`${at}/tree`), [image, null, RELEASE]);
  await folder.write("tree/modules.order", "");
  assertEquals(await found(`${at}/tree`), [image, `${at}/tree/`, RELEASE]);
  assertEquals(await found(image), [image, `${at}/tree/`, RELEASE]);

  const boot = await folder.write(`package/boot/vmlinuz-${RELEASE}`, bzImage(RELEASE));
  assertEquals(await found(`${at}/package`), [boot, null, RELEASE]);
  await folder.write(`package/lib/modules/${RELEASE}/modules.order`);
  const modules = `${at}/package/boot/../lib/modules/${RELEASE}`;
  assertEquals(await found(`${at}/package`), [boot, modules, RELEASE]);
  assertEquals(await found(boot), [boot, modules, RELEASE]);
  assertEquals(await found(`${at}/package/boot`), [boot, modules, RELEASE]);

  // An image beside its modules, under any name.
  const bare = await folder.write("bare/my kernel", bzImage("6.13.0"));
  await folder.write("bare/lib/modules/6.13.0/modules.order");
  assertEquals(await found(bare), [bare, `${at}/bare/lib/modules/6.13.0`, "6.13.0"]);
});

Deno.test("--modules names the folder of a release, or one that has it", async () => {
  await using folder = await Folder.make();
  const image = await folder.write("bzImage", bzImage(RELEASE));
  const at = folder.path;
  for (const [given, inside] of [["a", `lib/modules/${RELEASE}`], ["b", RELEASE], ["c", ""]]) {
    await folder.write(`${given}/${inside}/modules.order`);
    const expected = inside === "" ? `${at}/${given}` : `${at}/${given}/${inside}`;
    assertEquals(await found(image, `${at}/${given}`), [image, expected, RELEASE]);
  }
  const wrong = (modules: string, message: string) =>
    assertRejects(() => findKernel(image, modules), UsageError, message);
  await wrong(`${at}/nowhere`, `--modules ${at}/nowhere: no such folder; expected /lib/modules/`);
  await wrong(image, `--modules ${image}: is no folder`);
});

Deno.test("a --kernel that is none is told in one line, which names it", async () => {
  await using folder = await Folder.make();
  const at = folder.path;
  const wrong = async (path: string, message: string) => {
    const error = await assertRejects(() => findKernel(path, null), KernelFileError, message);
    assert(error.message.includes(path) && !error.message.includes("\n"), error.message);
  };
  await wrong(`${at}/nowhere`, "no such file or folder");
  await folder.write("file", "text");
  await wrong(`${at}/file`, "is no kernel image; expected arch/x86/boot/bzImage");
  await wrong(`${at}/file/below`, "no such file or folder");
  await wrong(at, "holds no kernel; expected a built tree");
  await folder.write("tree/Kbuild");
  await wrong(`${at}/tree`, "no arch/x86/boot/bzImage in it; build it with `make bzImage`");
  await folder.write("tree/arch/x86/boot/bzImage", "");
  await wrong(`${at}/tree`, `${at}/tree/arch/x86/boot/bzImage is empty`);
  await folder.write("odd/arch/x86/boot/bzImage/file");
  await wrong(`${at}/odd`, "EISDIR");
  for (const release of ["6.1", "6.12"]) {
    await folder.write(`both/boot/vmlinuz-${release}`, bzImage(release));
  }
  await wrong(
    `${at}/both`,
    `holds vmlinuz-6.1 and vmlinuz-6.12; expected --kernel ${at}/both/boot/vmlinuz-6.1, or another`,
  );
  await wrong("/dev/null", "is no file");
  await Deno.symlink("loop", `${at}/loop`);
  await wrong(`${at}/loop`, "ELOOP");
  await wrong(`${at}/${"x".repeat(300)}`, "ENAMETOOLONG");
});

Deno.test("a --kernel that is a pipe is told, and not waited for", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/pipe`;
  assertEquals((await new Deno.Command("mkfifo", { args: [path] }).output()).code, 0);
  await assertRejects(() => findKernel(path, null), KernelFileError, "is no file; expected");
});

testUnless(
  Deno.uid() === 0 ? "root may read all files" : null,
  "a --kernel that may not be read is told",
  async () => {
    await using folder = await Folder.make();
    const image = await folder.write("closed/bzImage", bzImage(RELEASE));
    await Deno.chmod(image, 0);
    await assertRejects(() => findKernel(image, null), KernelFileError, "EACCES");
    await Deno.chmod(`${folder.path}/closed`, 0);
    await assertRejects(() => findKernel(image, null), KernelFileError, "EACCES");
    await Deno.chmod(`${folder.path}/closed`, 0o755);
  },
);
