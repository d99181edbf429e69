// The modules that KVM needs, in an order in which a kernel can load them: from trees and packages,
// compressed or not.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { modulesFor } from "../../vm/kernel_modules.ts";
import { KernelFileError } from "../../vm/vm_failure.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";
import { moduleFile } from "../support/vm_files.ts";

const RELEASE = "6.12.1";
const KVM = "kernel/arch/x86/kvm";

async function names(folder: Folder, wanted: string): Promise<string[]> {
  return (await modulesFor(folder.path, wanted, RELEASE)).map(({ name }) => name);
}

async function write(folder: Folder, depends: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, needs] of Object.entries(depends)) {
    await folder.write(path, moduleFile(RELEASE, needs));
  }
}

async function wrong(folder: Folder, message: string): Promise<string> {
  const error = await assertRejects(() => names(folder, "kvm_amd"), KernelFileError, message);
  assert(!error.message.includes("\n"), error.message);
  return error.message;
}

Deno.test("what a module depends on comes before it, once, wherever it lies", async () => {
  await using folder = await Folder.make();
  await write(folder, {
    [`${KVM}/kvm-amd.ko`]: "kvm,ccp",
    [`${KVM}/kvm-intel.ko`]: "kvm",
    [`${KVM}/kvm.ko`]: "irqbypass",
    "kernel/virt/lib/irqbypass.ko": "",
    "kernel/drivers/crypto/ccp/ccp.ko": "far-away",
    "kernel/drivers/far/far-away.ko": "irqbypass",
  });
  const order = ["kernel/drivers/far/far-away.ko", "kernel/drivers/crypto/ccp/ccp.ko"];
  await folder.write("modules.order", [...order, `${KVM}/kvm.ko`, "", "noise"].join("\n"));
  assertEquals(await names(folder, "kvm_amd"), [
    ...["irqbypass", "kvm", "far_away", "ccp", "kvm_amd"],
  ]);
  assertEquals(await names(folder, "kvm_intel"), ["irqbypass", "kvm", "kvm_intel"]);
});

Deno.test("a tree has them where they were built; a folder without modules.order, in itself", async () => {
  await using tree = await Folder.make();
  await write(tree, { "arch/x86/kvm/kvm.ko": "odd", "drivers/odd/odd.ko": "" });
  await tree.write("modules.order", "drivers/odd/odd.o\n");
  assertEquals(await names(tree, "kvm"), ["odd", "kvm"]);
  await using flat = await Folder.make();
  await write(flat, { "kvm.ko": "", "kvm_amd.ko": "kvm" });
  assertEquals(await names(flat, "kvm_amd"), ["kvm", "kvm_amd"]);
});

Deno.test("a kernel that has all of it built in has none, and neither has a folder that is not there", async () => {
  await using folder = await Folder.make();
  assertEquals(await names(folder, "kvm_amd"), []);
  assertEquals(await modulesFor(`${folder.path}/nowhere`, "kvm_amd", RELEASE), []);
});

Deno.test("a module is handed over as it was built", async () => {
  await using folder = await Folder.make();
  const bytes = moduleFile(RELEASE, "");
  await folder.write(`${KVM}/kvm.ko`, bytes);
  assertEquals(await modulesFor(folder.path, "kvm", RELEASE), [{ name: "kvm", image: bytes }]);
});

Deno.test("what is missing, of another release, or no module, is told in one line", async () => {
  await using folder = await Folder.make();
  const amd = `${KVM}/kvm-amd.ko`;
  await folder.write(amd, moduleFile(RELEASE, "kvm"));
  await wrong(folder, `${folder.path}: kvm_amd depends on kvm, which is missing; build it with`);
  await folder.write(`${KVM}/kvm.ko`, moduleFile("6.11.0", ""));
  await wrong(folder, `${KVM}/kvm.ko: is of Linux 6.11.0; the kernel is 6.12.1: build both`);
  await folder.write(`${KVM}/kvm.ko`, "text");
  await wrong(folder, `${KVM}/kvm.ko: is no module; the kernel is 6.12.1`);
  await folder.write(`${KVM}/kvm.ko`, moduleFile(RELEASE, "").subarray(0, 300));
  await wrong(folder, "kvm.ko: is no module");
  await Deno.remove(`${folder.path}/${KVM}/kvm.ko`);
  await folder.write(`${KVM}/kvm.ko/file`);
  await wrong(folder, "kvm.ko: EISDIR");
});

Deno.test("modules that depend on each other, or on themselves, are told", async () => {
  await using folder = await Folder.make();
  await write(folder, {
    [`${KVM}/kvm-amd.ko`]: "kvm",
    [`${KVM}/kvm.ko`]: "irqbypass",
    "kernel/virt/lib/irqbypass.ko": "kvm",
  });
  await wrong(folder, `${folder.path}: irqbypass and kvm depend on each other; build them anew`);
  await write(folder, { "kernel/virt/lib/irqbypass.ko": "irqbypass" });
  await wrong(folder, "irqbypass and irqbypass depend on each other");
});

const PACKERS = [["gz", "gzip"], ["xz", "xz"], ["zst", "zstd"]] as const;

for (const [ending, program] of PACKERS) {
  const missing = await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output()
    .then(() => null, () => `no ${program} on PATH`);
  testUnless(missing, `.ko.${ending} is unpacked, and a damaged one told`, async () => {
    await using folder = await Folder.make();
    const plain = await folder.write(`${KVM}/kvm-amd.ko`, moduleFile(RELEASE, ""));
    const path = `${plain}.${ending}`;
    const { code, stdout } = await new Deno.Command(program, { args: ["-c", plain] }).output();
    assertEquals(code, 0);
    await Deno.writeFile(path, stdout);
    await Deno.remove(plain);
    const [found] = await modulesFor(folder.path, "kvm_amd", RELEASE);
    assertEquals(found, { name: "kvm_amd", image: moduleFile(RELEASE, "") });
    const damaged = [stdout.subarray(0, stdout.length - 9), new TextEncoder().encode("text")];
    for (const bytes of damaged) {
      await Deno.writeFile(path, bytes);
      // In the words of the program: what it could unpack is not tried.
      assert(!(await wrong(folder, `${path}: `)).includes("is no module"));
    }
  });
}

Deno.test("a way to pack that is not known is told", async () => {
  await using folder = await Folder.make();
  await folder.write(`${KVM}/kvm-amd.ko.lz4`);
  await wrong(folder, "kvm-amd.ko.lz4: compressed in a way that is not known; expected .xz");
});

Deno.test("a program that is missing to unpack a module is told, with what to install", async () => {
  await using folder = await Folder.make();
  const path = await folder.write(`${KVM}/kvm-amd.ko.zst`);
  await folder.write("empty/file");
  const url = (file: string) =>
    JSON.stringify(new URL(file, new URL("../..", import.meta.url)).href);
  const script = await folder.write(
    "ask.ts",
    `import { modulesFor } from ${url("vm/kernel_modules.ts")};
     import { HostError } from ${url("ffi/errors.ts")};
     try {
       await modulesFor(${JSON.stringify(folder.path)}, "kvm_amd", "${RELEASE}");
     } catch (error) {
       console.log(error instanceof HostError, error.message);
     }`,
  );
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-check", "--allow-all", script],
    env: { PATH: `${folder.path}/empty` },
    stderr: "inherit",
  }).output();
  assertMatch(
    new TextDecoder().decode(stdout),
    new RegExp(`^true ${path}: no zstd to decompress it; install zstd\n$`),
  );
});
