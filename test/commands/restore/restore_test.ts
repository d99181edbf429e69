// Checkpoints restored: the machine goes on where it was, on either kernel. A changed byte is
// detected, even if the file's digest is valid.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { readChain } from "../../../checkpoint/checkpoint_chain.ts";
import type { CheckpointLayout } from "../../../checkpoint/checkpoint_header.ts";
import { restore } from "../../../commands/restore/restore.ts";
import type { RestoreResult } from "../../../commands/restore/restore_result.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { KVM_SET_SREGS } from "../../../ffi/kvm_ioctls.ts";
import { kvm_regs } from "../../../ffi/kvm_structs.ts";
import { completeExit } from "../../../kvm/vcpu.ts";
import { forge } from "../../support/checkpoint_files.ts";
import { keep, type KeepChanges, model, TRACKINGS } from "../../support/checkpoints.ts";
import { inFolder } from "../../support/folder.ts";
import { makeLab } from "../../support/labs.ts";
import { LIBC } from "../../support/libc.ts";
import { liveTest, RING_BYTES } from "../../support/live.ts";
import { MadeUpInterrupt } from "../../support/live_runs.ts";

const GUESTS = ["real16", "long64"] as const;
const file = (epoch: number) => epoch === 0 ? "epoch-000000-full.ckpt" : `epoch-00000${epoch}.ckpt`;

async function restored(folder: string, kernel: Kernel): Promise<RestoreResult> {
  return await restore(kernel, await readChain(folder), new MadeUpInterrupt());
}

function assertGoesOn(result: RestoreResult): void {
  const { checks, ...rest } = result;
  assertEquals(checks.map(({ when }) => when), ["restored", "pass finished", "another pass"]);
  assertEquals(checks.map(({ wrong }) => wrong.count), [0, 0, 0]);
  assertEquals([rest.ok, rest.problems, rest.error], [true, [], null]);
  const [before, , after] = checks;
  const sum = (of: "storesBefore" | "storesAfter") =>
    rest.vcpus.reduce((all, one) => all + one[of], 0);
  assertEquals([before!.stores, after!.stores], [sum("storesBefore"), sum("storesAfter")]);
  assert(after!.stores > before!.stores);
}

// Keeps a replica with files on one kernel and restores it on another.
async function throughFiles(
  changes: KeepChanges,
  from: Kernel,
  to: Kernel,
): Promise<RestoreResult> {
  return await inFolder(async (folder) => {
    const kept = await keep({ ...changes, folder }, from);
    assertEquals([kept.ok, kept.equal, kept.error], [true, true, null]);
    assertEquals([kept.output!.lastEpoch, kept.output!.files], [
      kept.epochCount,
      kept.epochCount + 1,
    ]);
    assert(kept.epochs.every(({ writeNs, fileBytes }) => writeNs! > 0 && fileBytes! > 4096));
    const result = await restored(folder, to);
    assertEquals(result.epoch, kept.epochCount);
    assertEquals(result.checks[0]?.stores, kept.stores);
    return result;
  });
}

for (const guest of GUESTS) {
  for (const tracking of TRACKINGS) {
    Deno.test(`restore() goes on without a step lost (${guest}, ${tracking}, the model)`, async () => {
      assertGoesOn(await throughFiles({ guest, tracking, slots: 2 }, model(), model()));
    });
  }
  liveTest(`restore() goes on without a step lost (${guest})`, async () => {
    assertGoesOn(await throughFiles({ guest, slots: 2 }, LIBC, LIBC));
  });
  liveTest(`restore() on the model goes on where a real kernel was (${guest})`, async () => {
    assertGoesOn(await throughFiles({ guest, tracking: "bitmap" }, LIBC, model()));
  });
  liveTest(`restore() on a real kernel goes on where the model was (${guest})`, async () => {
    assertGoesOn(await throughFiles({ guest }, model(), LIBC));
  });
}

Deno.test("restore() takes any epoch: the last whole one", async () => {
  await inFolder(async (folder) => {
    const { epochCount } = await keep({ folder, epochs: 3, guest: "long64" }, model());
    for (let epoch = epochCount; epoch >= 0; epoch--) {
      const result = await restored(folder, model());
      assertGoesOn(result);
      assertEquals([result.epoch, result.files], [epoch, epoch + 1]);
      assertEquals(result.pages > 0, epoch > 0);
      if (epoch > 0) await Deno.truncate(`${folder}/${file(epoch)}`, 5000);
    }
  });
});

for (const [kernel, test] of [[model, Deno.test], [() => LIBC, liveTest]] as const) {
  for (const guest of GUESTS) {
    test(`restore() completes vCPUs that had made all their stores (${guest})`, async () => {
      // A number that is no multiple of the list: the last pass of each is a part of one.
      assertGoesOn(await throughFiles({ guest, stores: 1501 }, kernel(), kernel()));
    });
  }

  test("restore() goes on through full rings", async () => {
    const changes: KeepChanges = { memory: 8 << 20, pages: 1500, ringBytes: RING_BYTES, epochs: 2 };
    assertGoesOn(await throughFiles({ ...changes, guest: "long64" }, kernel(), kernel()));
  });
}

Deno.test("restore() knows vCPUs without stores, pages of two vCPUs, and a pattern from a file", async () => {
  assertGoesOn(await throughFiles({ vcpus: 3, pages: 2 }, model(), model()));
  assertGoesOn(await throughFiles({ text: "hot:3", pages: 64 }, model(), model()));
  const listed = [5, 9, 9, 300, 1, 0, 511];
  for (const guest of GUESTS) {
    const changes: KeepChanges = { guest, text: "file:list", listed, pages: 7 };
    const result = await throughFiles(changes, model(), model());
    assertGoesOn(result);
    assertEquals([result.pages, result.lab.pattern], [6, "file:list"]);
  }
});

Deno.test("restore() ends at an interrupt, and says so", async () => {
  await inFolder(async (folder) => {
    await keep({ folder }, model());
    const interrupt = new MadeUpInterrupt();
    interrupt.signal = "SIGINT";
    const result = await restore(model(), await readChain(folder), interrupt);
    assertEquals([result.interrupted, result.checks, result.ok], ["SIGINT", [], true]);
  });
});

// What is changed in the last file, whose digest is made right again, and how that shows.
type Forgery = readonly [
  string,
  (view: DataView<ArrayBuffer>, layout: CheckpointLayout) => void,
  (result: RestoreResult) => void,
];

const wrongAt = (when: string) => (result: RestoreResult) => {
  const { when: last, wrong } = result.checks.at(-1)!;
  assertEquals([last, wrong.count > 0, wrong.pages.length > 0], [when, true, true]);
};
const problem = (text: string) => ({ problems, checks }: RestoreResult) => {
  assertEquals([problems.length, checks.length], [1, 0]);
  assertStringIncludes(problems[0]!, text);
};
const add = (view: DataView<ArrayBuffer>, at: number, by: number) =>
  view.setUint32(at, view.getUint32(at, true) + by, true);
const register = (name: keyof typeof kvm_regs.at) => kvm_regs.at[name];

// The first page whose neighbour is not in the file becomes that neighbour.
function renumber(view: DataView<ArrayBuffer>, { numbers, pages }: CheckpointLayout): void {
  const number = (at: number) => view.getUint32(at, true);
  for (let at = numbers; at < pages - 4; at += 4) {
    if (number(at + 4) > number(at) + 1) return add(view, at, 1);
  }
}

const FORGERIES: readonly Forgery[] = [
  ["nothing", () => {}, assertGoesOn],
  ["a page's counter", (view, { pages }) => add(view, pages, 1), wrongAt("restored")],
  [
    "a byte behind a counter",
    (view, { pages }) => view.setUint8(pages + 4095, 1),
    wrongAt("restored"),
  ],
  ["a page's number", renumber, wrongAt("restored")],
  [
    "the value to store",
    (view, { registers }) => add(view, registers + register("rbx"), 2),
    wrongAt("pass finished"),
  ],
  [
    "its step",
    (view, { registers }) => add(view, registers + register("rbp"), 1),
    wrongAt("pass finished"),
  ],
  [
    "the place in the list",
    (view, { registers }) => add(view, registers + register("rsi"), 4),
    wrongAt("pass finished"),
  ],
  [
    "the stores left",
    (view, { registers }) => add(view, registers + register("rcx"), 1),
    problem("vCPU 0: its registers leave"),
  ],
  [
    "the guest's list",
    (view, { slot0 }) => add(view, slot0 + 0x2004, 4096),
    problem("slot 0 differs, from byte 8197 on"),
  ],
];

Deno.test("restore() finds out each byte that is not what it was", async () => {
  await inFolder(async (folder) => {
    // The whole list fits into one pass, in the middle of which each vCPU is.
    await keep({ folder, epochs: 2, pages: 400, memory: 4 << 20 }, model());
    const path = `${folder}/${file(2)}`;
    const whole = await Deno.readFile(path);
    for (const [what, change, shows] of FORGERIES) {
      await Deno.writeFile(path, whole);
      await forge(path, (bytes, layout) => change(new DataView(bytes.buffer), layout));
      const result = await restored(folder, model());
      assertEquals([result.ok, result.skipped], [what === "nothing", []], what);
      shows(result);
    }
  });
});

// Changes the header of the full checkpoint, in place: what is put there is as long as what stood
// there.
async function withHeader(from: string, to: string, then: (folder: string) => Promise<void>) {
  assertEquals(from.length, to.length);
  await inFolder(async (folder) => {
    await keep({ folder, pages: 400, memory: 4 << 20 }, model());
    for (const epoch of [1, 2, 3]) await Deno.remove(`${folder}/${file(epoch)}`);
    const path = `${folder}/${file(0)}`;
    await forge(path, (bytes, { registers }) => {
      const text = new TextDecoder().decode(bytes.subarray(16, registers));
      assertStringIncludes(text, from);
      bytes.set(new TextEncoder().encode(text.replace(from, to)), 16);
    });
    await then(folder);
  });
}

Deno.test("restore() finds out a place that cannot be", async () => {
  await withHeader('"passMade":0', '"passMade":7', async (folder) => {
    const { ok, problems } = await restored(folder, model());
    assertEquals([ok, problems], [false, [
      "vCPU 0: 0 stores, 7 of 400 in a pass of 400, cannot be",
    ]]);
  });
  await withHeader('"value":2', '"value":4', async (folder) => {
    const { ok, problems } = await restored(folder, model());
    const message = "vCPU 0: its pass begins with 4, but after 0 stores with 2";
    assertEquals([ok, problems], [false, [message]]);
  });
});

Deno.test("restore() gives a vCPU the IOPL that a kernel did not save, and says so", async () => {
  await inFolder(async (folder) => {
    await keep({ folder, guest: "long64", epochs: 1 }, model());
    assertEquals((await restored(folder, model())).withoutIopl, 0);
    await forge(`${folder}/${file(1)}`, (bytes, { registers }) => {
      bytes[registers + kvm_regs.at.rflags + 1]! &= 0x0f;
    });
    const result = await restored(folder, model());
    assertGoesOn(result);
    assertEquals(result.withoutIopl, 1);
  });
});

for (const [kernel, test] of [[model, Deno.test], [() => LIBC, liveTest]] as const) {
  test("completeExit() completes an exit, runs no instruction, and lets the vCPU run on", () => {
    using lab = makeLab({ guest: "long64" }, kernel());
    const { vcpu, first, stores } = lab.vcpus[0]!;
    const { codeAt, code } = lab.plan.guest;
    lab.begin(0, first, stores);
    completeExit(vcpu);
    assertEquals([vcpu.register("rip"), lab.remaining(0)], [BigInt(codeAt), stores]);
    assertEquals([vcpu.run(), lab.remaining(0)], [0, 0]);
    completeExit(vcpu);
    assertEquals(vcpu.register("rip"), BigInt(codeAt + code.length));
  });
}

Deno.test("restore() names the call with which a kernel refuses registers", async () => {
  await inFolder(async (folder) => {
    await keep({ folder }, model());
    const kernel = model();
    let calls = 0;
    const refusing: Kernel = {
      ...kernel,
      ioctl: (fd, request, argument) =>
        request === KVM_SET_SREGS && ++calls > 2 ? -22 : kernel.ioctl(fd, request, argument),
    };
    await assertRejects(() => restored(folder, refusing), Error, "KVM_SET_SREGS on vCPU 0: EINVAL");
  });
});
