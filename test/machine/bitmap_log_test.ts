// The dirty bitmap: scanned as a naive loop would, and learned and re-protected on the model and on
// a live kernel.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 } from "../../ffi/kvm_constants.ts";
import { KVM_CHECK_EXTENSION, KVM_CLEAR_DIRTY_LOG } from "../../ffi/kvm_ioctls.ts";
import { BitmapTracker } from "../../machine/bitmap_tracker.ts";
import type { BitmapKind } from "../../machine/dirty_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import { type LabOptions, planLab } from "../../machine/plan.ts";
import { allocatePageNumbers, scanBitmap } from "../../memory/page_sets.ts";
import { openModel } from "../../model/model_kernel.ts";
import fc from "../support/fast_check.ts";
import { labOptions } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest } from "../support/live.ts";

const MODEL = { version: "latest", pml: false, emulator: false } as const;
const KINDS: readonly BitmapKind[] = ["bitmap", "bitmap-manual"];

function naive(words: Uint32Array, first: number): number[] {
  const found: number[] = [];
  for (let bit = 0; bit < words.length * 32; bit++) {
    if (((words[bit >> 5]! >>> (bit & 31)) & 1) === 1) found.push(first + bit);
  }
  return found;
}

Deno.test("scanBitmap() finds what a naive loop finds, whatever the length", () => {
  const word = fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    fc.constantFrom(1, 0x8000_0000, 0xffff_ffff),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 70 }), fc.nat(2 ** 24), (list, first) => {
      const words = Uint32Array.from(list);
      const into = allocatePageNumbers(words.length * 32 + 1);
      into.pages[0] = 99;
      into.length = 1;
      const expected = naive(words, first);
      assertEquals(scanBitmap(words, first, into), expected.length);
      assertEquals([...into.pages.subarray(0, into.length)], [99, ...expected]);
    }),
    { numRuns: 500 },
  );
});

// A guest of 200 pages in three slots, none of which is a multiple of 64.
const SPLIT: Partial<LabOptions> & { text: string } = {
  guest: "long64",
  memory: 200 * 4096,
  slots: 3,
  pages: 40,
  text: "random",
};

function guestVm(kernel: Kernel, kind: BitmapKind): GuestVm<BitmapTracker> {
  return new GuestVm(kernel, planLab(labOptions(SPLIT)), new BitmapTracker(kind));
}

async function storeAll(vm: GuestVm): Promise<void> {
  for (const [id, { vcpu, first, stores }] of vm.vcpus.entries()) {
    vm.begin(id, first, stores);
    assertEquals(await new InlineDriver().run(vcpu), "KVM_EXIT_IO");
  }
}

const sorted = (pages: Uint32Array) => [...pages].sort((a, b) => a - b);

async function learnsAndRearms(kernel: Kernel, kind: BitmapKind): Promise<void> {
  using vm = guestVm(kernel, kind);
  const { tracker } = vm;
  const learn = () => {
    const count = tracker.learn();
    const { length, pages } = tracker.found;
    assertEquals(count, length);
    return [...pages.subarray(0, count)];
  };
  assertEquals(learn(), [], "before any store");
  tracker.rearm();
  const expected = sorted(vm.plan.sequence);
  for (let round = 0; round < 3; round++) {
    await storeAll(vm);
    assertEquals(learn(), expected, `round ${round}`);
    tracker.rearm();
    assertEquals(learn(), [], `after round ${round}`);
    tracker.rearm();
  }
}

for (const kind of KINDS) {
  Deno.test(`BitmapTracker of kind ${kind} learns every page and re-protects it, on the model`, async () => {
    await learnsAndRearms(openModel(MODEL), kind);
  });
  liveTest(`BitmapTracker of kind ${kind} learns every page and re-protects it`, async () => {
    await learnsAndRearms(LIBC, kind);
  });
}

for (const kernel of [() => openModel(MODEL), () => LIBC]) {
  const test = kernel() === LIBC ? liveTest : Deno.test;
  test("a manual bitmap keeps its pages until they are cleared, a plain one does not", async () => {
    for (const kind of KINDS) {
      const one = kernel();
      using vm = guestVm(one, kind);
      const { tracker } = vm;
      await storeAll(vm);
      assertEquals(tracker.learn(), 40);
      assertEquals(tracker.learn(), kind === "bitmap" ? 0 : 40);
      const { count, ns } = tracker.rearm();
      assertEquals([tracker.learn(), count, ns > 0], [0, null, kind === "bitmap-manual"]);
    }
  });
}

Deno.test("BitmapTracker says what a kernel without manual protection lacks", () => {
  const model = openModel(MODEL);
  const old: Kernel = {
    ...model,
    ioctl: (fd, request, argument) =>
      request === KVM_CHECK_EXTENSION && argument === KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
        ? 0
        : model.ioctl(fd, request, argument),
  };
  assertThrows(() => guestVm(old, "bitmap-manual"), HostError, "DIRTY_LOG_PROTECT2): 0, this");
  guestVm(old, "bitmap")[Symbol.dispose]();
});

Deno.test("BitmapTracker names the call that a kernel refuses", async () => {
  const model = openModel(MODEL);
  const broken: Kernel = {
    ...model,
    ioctl: (fd, request, argument) =>
      request === KVM_CLEAR_DIRTY_LOG ? -22 : model.ioctl(fd, request, argument),
  };
  using vm = guestVm(broken, "bitmap-manual");
  await storeAll(vm);
  vm.tracker.learn();
  const message = "KVM_CLEAR_DIRTY_LOG(slot 1, 66 pages from 0 on): EINVAL";
  await assertRejects(() => Promise.try(() => vm.tracker.rearm()), KernelError, message);
});
