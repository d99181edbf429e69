// Headers with a valid digest and impossible values: they are refused before a VM is built, in one
// line that names the file.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { readChain } from "../../../checkpoint/checkpoint_chain.ts";
import { BrokenFile, checkFile } from "../../../checkpoint/checkpoint_file.ts";
import {
  type CheckpointedLab,
  MOST_LIST,
  parseHeader,
} from "../../../checkpoint/checkpoint_header.ts";
import { CheckpointWriter } from "../../../checkpoint/checkpoint_writer.ts";
import { fitting, restore } from "../../../commands/restore/restore.ts";
import { ERRNO, KernelError } from "../../../ffi/errors.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { kvm_regs } from "../../../ffi/kvm_structs.ts";
import { LimitError, UsageError } from "../../../host/errors.ts";
import { VCPU_STATE_BYTES } from "../../../kvm/vcpu.ts";
import { forge, forgeHeader, madeUp, noise } from "../../support/checkpoint_files.ts";
import { keep, model } from "../../support/checkpoints.ts";
import { inFolder } from "../../support/folder.ts";
import { MadeUpInterrupt } from "../../support/live_runs.ts";

const FULL = "epoch-000000-full.ckpt";

// A folder with a full checkpoint of a made-up machine that is changed as a whole: its files go
// together.
async function withMachine(
  changes: Partial<CheckpointedLab>,
  then: (folder: string, path: string) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const content = madeUp([], 0);
    const lab = { ...content.header.lab, ...changes };
    const place = { stores: 0, value: 0, passStores: 0, passMade: 0 };
    const vcpus = Array.from({ length: lab.vcpus }, () => place);
    await new CheckpointWriter(folder).write({
      ...content,
      header: { ...content.header, lab, vcpus },
      registers: noise(lab.vcpus * VCPU_STATE_BYTES, 1),
    });
    await then(folder, `${folder}/${FULL}`);
  });
}

const restoring = async (folder: string, kernel: Kernel = model()) =>
  await restore(kernel, await readChain(folder), new MadeUpInterrupt());

/** Changes to a header of 300 KB at most, each right for itself, and why it cannot be. */
const MISFITS: readonly (readonly [object, string])[] = [
  [{ pages: MOST_LIST, passes: 7 }, `a list of ${MOST_LIST} stores, 7 times, is longer than`],
  [{ pages: MOST_LIST, guest: "long64" }, "slot 0 has 12288 bytes, where a list of 268435456"],
  [{ pages: MOST_LIST, pattern: "file:list" }, "slot 0 has 12288 bytes, where a list of 268435456"],
  [{ passes: MOST_LIST }, "stores, 268435456 times, is longer than"],
  [{ pages: 1024, passes: 2 }, "a list of 2048 stores makes it 16384"],
  [{ memory: 16 * 4096 + 1 }, "memory of 65537 bytes is no whole number of pages"],
  [
    { memory: 2 ** 40 },
    "1099511627776 bytes of memory behind slot 0 are too many: a real-mode guest",
  ],
  [{ slots: 17 }, "16 pages of memory cannot be split into 17 slots"],
  [{ pattern: "rbndom" }, "no access pattern is called rbndom"],
  [{ pattern: "stride:0" }, "no access pattern is called stride:0"],
];

Deno.test("checkFile() refuses a header whose fields do not go together, whatever the digest", async () => {
  await withMachine({}, async (folder, path) => {
    const whole = await Deno.readFile(path);
    for (const [changes, why] of MISFITS) {
      await Deno.writeFile(path, whole);
      await forgeHeader(path, ({ lab }) => ({ lab: { ...lab, ...changes } }));
      await assertRejects(() => checkFile(path), BrokenFile, `its header cannot be: `);
      await assertRejects(() => checkFile(path), BrokenFile, why);
      const { message } = await assertRejects(() => restoring(folder), UsageError);
      assertStringIncludes(message, `restore ${folder}: no whole checkpoint in it (${FULL}: its`);
      assert(!/--(pages|memory|slots)/.test(message), message);
    }
    await Deno.writeFile(path, whole);
    await forgeHeader(path, () => ({ slot0Bytes: 8192, pages: 1 }));
    await assertRejects(
      () => checkFile(path),
      BrokenFile,
      "slot 0 has 8192 bytes, where a list of",
    );
  });
});

Deno.test("checkFile() reads no header that is too long for its file", async () => {
  await withMachine({}, async (_folder, path) => {
    await forgeHeader(path, () => ({ more: "x".repeat(60_000) })); // fields that are not known are passed over
    await checkFile(path);
    await forgeHeader(path, () => ({ more: Array(100_000).fill({}) }));
    await assertRejects(() => checkFile(path), BrokenFile, "bytes of header are too many for");
  });
});

Deno.test("parseHeader() takes no place from which stores could not be counted on", () => {
  const { header } = madeUp([], 0);
  const text = (stores: number) =>
    JSON.stringify({
      ...header,
      kind: "full",
      epoch: 0,
      previous: null,
      slot0Bytes: 12288,
      pages: 0,
      vcpus: header.vcpus.map((place) => ({ ...place, stores })),
    });
  assertEquals(parseHeader(text(2 ** 52)).vcpus[0]!.stores, 2 ** 52);
  assertThrows(() => parseHeader(text(2 ** 52 + 1)), SyntaxError, "stores is not a whole number");
});

// What becomes of a folder in a process of its own.
async function peakOf(folder: string): Promise<{ said: string; peakMiB: number }> {
  const script = new URL("../../support/restore_peak.ts", import.meta.url).pathname;
  const lock = new URL("./../../deno.lock", import.meta.url).pathname;
  const args = ["run", "--quiet", "--no-check", `--lock=${lock}`, "--frozen", "-A", script, folder];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("restore() takes memory as its files and the guest do, whatever a header says", async () => {
  await withMachine({}, async (folder, path) => {
    // It would be a list of a gibibyte.
    await forgeHeader(path, ({ lab }) => ({ lab: { ...lab, guest: "long64", pages: MOST_LIST } }));
    const { said, peakMiB } = await peakOf(folder);
    assertStringIncludes(said, "a list of 268435456 stores makes it 2147762176");
    assert(peakMiB < 200, `${peakMiB} MiB`);
  });
  // A model's rings, 256 MiB of them, which nothing is pushed to.
  await withMachine({ vcpus: 256, ring: 65536 }, async (folder) => {
    const { said, peakMiB } = await peakOf(folder);
    assertStringIncludes(said, "slot 0 differs");
    assert(peakMiB < 200, `${peakMiB} MiB`);
  });
});

/** Machines that files may tell of, and that no kernel of the model's kind takes. */
const TOO_LARGE: readonly (readonly [Partial<CheckpointedLab>, string])[] = [
  [{ vcpus: 1025 }, "its machine has 1025 vCPUs, and this kernel allows 1024 at most"],
  [
    { slots: 32764, memory: 32764 * 4096 },
    "32764 logged slots, and this kernel allows 32763 beside slot 0",
  ],
  [
    { ring: 2 ** 28 },
    "rings of 268435456 entries, and this kernel takes a power of two from 256 to",
  ],
  [{ ring: 300 }, "rings of 300 entries, and this kernel takes a power of two"],
  [{ ring: 128 }, "rings of 128 entries, and this kernel takes a power of two"],
];

Deno.test("restore() names the file whose machine the kernel does not take", async () => {
  for (const [changes, why] of TOO_LARGE) {
    await withMachine(changes, async (folder, path) => {
      const { message } = await assertRejects(() => restoring(folder), LimitError, why);
      assert(message.startsWith(`${path}: its machine has `), message);
      assert(!message.includes("--"), message);
    });
  }
});

Deno.test("restore() names the file for whose machine there is no memory", async () => {
  await withMachine({}, async (folder, path) => {
    const kernel = model();
    const poor: Kernel = { ...kernel, mmap: () => -ERRNO.ENOMEM };
    const { message } = await assertRejects(() => restoring(folder, poor), LimitError);
    assertStringIncludes(
      message,
      `${path}: there is no memory here for its machine of 2 vCPUs and`,
    );
    assertStringIncludes(message, "65536 bytes of memory (mmap(12288 bytes of guest code");
    assert(!message.includes("--"), message);
    const file = await checkFile(path);
    const failing = (error: Error) => () => fitting(file, () => Promise.reject(error));
    const none = new RangeError("Array buffer allocation failed");
    await assertRejects(failing(none), LimitError, path);
    await assertRejects(failing(new RangeError("Cannot view 3 bytes")), RangeError, "Cannot view");
    await assertRejects(failing(new KernelError("open(x)", -ERRNO.EMFILE)), KernelError, "EMFILE");
  });
});

Deno.test("restore() names the file whose access list names no page", async () => {
  await withMachine({ pattern: "file:list" }, async (folder, path) => {
    const { message } = await assertRejects(() => restoring(folder), UsageError);
    assert(message.startsWith(`${path}: its access list names address `), message);
  });
});

Deno.test("restore() gives up on a guest that goes on and on", async () => {
  await inFolder(async (folder) => {
    // Each vCPU has made its pass and stands at its end.
    await keep({ folder, pages: 400, memory: 4 << 20, stores: 800 }, model());
    const { files } = await readChain(folder);
    const { path, header } = files.at(-1)!;
    assertEquals(header.vcpus.map(({ stores, passStores }) => [stores, passStores]), [
      [400, 0],
      [400, 0],
    ]);
    // One of them is said to stand before its list's end, with none left: it counts down from 2^32.
    const { lab } = header;
    await forge(path, (bytes, { registers }) => {
      new DataView(bytes.buffer).setUint32(registers + kvm_regs.at.rip, 0x1003, true);
    });
    const block = lab.pages * lab.passes / lab.vcpus;
    const first = files[0]!.header.vcpus[0]!.value;
    await forgeHeader(path, ({ vcpus: [, other] }) => ({
      vcpus: [{ stores: block, value: first, passStores: block, passMade: block }, other],
    }));
    const { error, checks, ok } = await restoring(folder);
    assertEquals(checks.map(({ when, wrong }) => [when, wrong.count]), [["restored", 0]]);
    assertStringIncludes(
      `${error}`,
      "the restored machine: 800 stores are not made within 0.5 s, 400 are: vCPU 0 made 0 of 400",
    );
    assertEquals(ok, true); // nothing that was looked at is wrong: the status is that of the error
  });
});
