// A bench on the model and on a live kernel: the pages that trackers find are compared with the
// stores, and a tracker that drops a page is detected.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { bench, type BenchHelp, type BenchResult } from "../../../commands/bench/bench.ts";
import type { BenchOptions } from "../../../commands/bench/bench_options.ts";
import {
  BENCH_PATTERNS,
  liveRing,
  type RingSizeRun,
} from "../../../commands/bench/bench_ring_sizes.ts";
import { sortPages } from "../../../commands/bench/bench_sort.ts";
import { progressText } from "../../../cli/progress.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { KVM_GET_DIRTY_LOG } from "../../../ffi/kvm_ioctls.ts";
import { kvm_dirty_log } from "../../../ffi/kvm_structs.ts";
import { UsageError } from "../../../host/errors.ts";
import { Interrupt, type InterruptSignal } from "../../../host/interrupt.ts";
import { WorkProgress, type WorkStep } from "../../../host/progress.ts";
import { openModel } from "../../../model/model_kernel.ts";
import { OPTIONS } from "../../support/bench_results.ts";
import { faultyKernel } from "../../support/faulty_kernel.ts";
import { LIBC } from "../../support/libc.ts";
import { liveTest, NO_FAULTS, RING_ENTRIES, testUnless } from "../../support/live.ts";

const MODEL = { version: "latest", pml: false, emulator: false } as const;
const MIB = 2 ** 20;

const NO_RUN: RingSizeRun = { fullExits: 1, stoppedNs: 1, storesPerSecond: 1, entries: 1 };
const QUIET: BenchHelp = { runRingSize: () => () => Promise.resolve(NO_RUN) };

async function benchOn(
  kernel: Kernel,
  changes: Partial<BenchOptions>,
  help: Partial<BenchHelp> = {},
  interrupt = new Interrupt(),
): Promise<BenchResult> {
  using _interrupt = interrupt;
  const site = { kernel, interrupt, problems: [] };
  return await bench(site, { ...OPTIONS, ...changes }, { ...QUIET, ...help });
}

async function measuresCost(kernel: Kernel): Promise<void> {
  const result = await benchOn(kernel, { memory: [4 * MIB, MIB], pages: [300, 16] });
  assertEquals([result.ok, result.problems, result.interrupted], [true, [], null]);
  assertEquals([result.schema, result.repetitions], ["dirtyring.bench/1", 1]);
  const sizes = [[MIB, 16], [4 * MIB, 16], [4 * MIB, 300]];
  assertEquals(
    result.cells.map(({ memoryBytes, dirtyPages }) => [memoryBytes, dirtyPages]),
    sizes.flatMap((size) => [size, size, size, size]),
  );
  for (const { medianNs, minNs, maxNs, learnNs, rearmNs, ratio } of result.cells) {
    assert(minNs <= medianNs && medianNs <= maxNs && learnNs + (rearmNs ?? 0) === medianNs);
    assert(learnNs > 0 && ratio > 0);
  }
  assertEquals(result.crossover.map(({ memoryBytes }) => memoryBytes), [MIB, 4 * MIB]);
  assertEquals([result.patterns, result.sorting, result.ringSizes, result.sortPays], [
    [],
    [],
    [],
    null,
  ]);
}

Deno.test("bench() finds what was stored with every tracker, on the model", async () => {
  await measuresCost(openModel(MODEL));
});

liveTest("bench() finds what was stored with every tracker", async () => {
  await measuresCost(LIBC);
});

Deno.test("bench() counts the pages of rings that fill up, and those of all stops", async () => {
  const { ok, problems, cells } = await benchOn(openModel(MODEL), {
    pages: [250],
    ringBytes: 4096,
  });
  assertEquals([ok, problems], [true, []]);
  assertEquals(cells.map(({ fullExits }) => fullExits), [1, 1, null, null]);
});

Deno.test("bench() counts pages once where every store pushes", async () => {
  const kernel = openModel({ ...MODEL, emulator: true });
  const { ok, emulated } = await benchOn(kernel, { guest: "real16" });
  assertEquals([ok, emulated], [true, true]);
});

Deno.test("bench() follows the pattern that it was asked for", async () => {
  const pattern = { name: "stride", parameter: 4 } as const;
  const { options, ok } = await benchOn(openModel(MODEL), { pattern });
  assertEquals([options.pattern, options.ring, ok], ["stride:4", 65536, true]);
});

// A kernel whose bitmaps lack their first page.
function droppingBitmap(kernel: Kernel): Kernel {
  return {
    ...kernel,
    ioctl(fd, request, argument) {
      const answer = kernel.ioctl(fd, request, argument);
      if (request === KVM_GET_DIRTY_LOG && argument instanceof Uint8Array) {
        const view = new DataView(argument.buffer, argument.byteOffset);
        const address = Number(view.getBigUint64(kvm_dirty_log.at.dirty_bitmap, true));
        const words = new Uint32Array(kernel.view(address, 32).slice().buffer);
        const at = words.findIndex((word) => word !== 0);
        words[at] = words[at]! & (words[at]! - 1);
        kernel.view(address, 32).set(new Uint8Array(words.buffer));
      }
      return answer;
    },
  };
}

// A kernel whose rings lack the last entry that a run pushed.
function droppingRing(kernel: Kernel): Kernel {
  return faultyKernel(kernel, "drops an entry", () => new Uint32Array(1));
}

Deno.test("bench() finds a bitmap out that drops a page", async () => {
  const { ok, problems, cells, crossover } = await benchOn(droppingBitmap(openModel(MODEL)), {});
  assertEquals([ok, cells, crossover], [false, [], []]);
  assertStringIncludes(problems[0]!, "15 of the 16 pages that were stored to were found");
  assertStringIncludes(problems[0]!, "bitmap, 1 MiB, 16 dirty pages: ");
});

Deno.test("bench() finds a ring out that drops an entry", async () => {
  const { ok, problems, cells } = await benchOn(droppingRing(openModel(MODEL)), {});
  assertEquals([ok, cells], [false, []]);
  assertStringIncludes(problems.join("\n"), "ring, 1 MiB, 16 dirty pages: 15 of the 16 pages");
});

testUnless(NO_FAULTS, "live: bench() finds a ring and a bitmap out that drop a page", async () => {
  const ring = await benchOn(droppingRing(LIBC), {});
  assertEquals([ring.ok, ring.cells], [false, []]);
  const bitmap = await benchOn(droppingBitmap(LIBC), {});
  assertEquals([bitmap.ok, bitmap.cells], [false, []]);
});

Deno.test("bench() goes on after a cell that does not hold", async () => {
  const { problems } = await benchOn(droppingBitmap(openModel(MODEL)), { pages: [16, 32] });
  assertEquals(problems.length, 2);
});

async function measuresTheRest(kernel: Kernel): Promise<void> {
  const sweep = ["pattern", "sort"] as const;
  const { ok, problems, patterns, sorting, sortPays } = await benchOn(kernel, { sweep });
  assertEquals([ok, problems], [true, []]);
  assertEquals(patterns.map(({ pattern }) => pattern), [...BENCH_PATTERNS]);
  const of = (name: string) => patterns.find(({ pattern }) => pattern === name)!;
  assertEquals(patterns.map(({ entries }) => entries), patterns.map(() => 4096));
  assertEquals([of("sequential").batches, of("stride:8").batches, of("stride:64").batches], [
    ...[64, 512, 4096],
  ]);
  assertEquals([of("sequential").ratio, of("sequential").pagesPerBatch], [1, 64]);
  assertEquals(sorting.map(({ dirtyPages }) => dirtyPages), sortPages());
  for (const { plain, sorted } of sorting) {
    assertEquals(plain.sortNsPerEntry, 0);
    assert(plain.batches >= sorted.batches && sorted.sortNsPerEntry > 0);
    const { harvestNsPerEntry, sortNsPerEntry, resetNsPerEntry, totalNsPerEntry } = sorted;
    assertEquals(harvestNsPerEntry + sortNsPerEntry + resetNsPerEntry, totalNsPerEntry);
  }
  assert(sortPays !== null);
}

Deno.test("bench() measures patterns and sorting, on the model", async () => {
  await measuresTheRest(openModel(MODEL));
});

Deno.test("bench() hands every ring size to what runs it, and counts its repetitions", async () => {
  const asked: number[] = [];
  const told: string[] = [];
  using interrupt = new Interrupt();
  const { ringSizes, repetitions } = await benchOn(
    openModel({ ...MODEL, pml: true }),
    {
      sweep: ["ring-size"],
      repetitions: 2,
    },
    {
      runRingSize: () => (size) => {
        asked.push(size);
        told.push(progressText(interrupt.progress.steps, 1000));
        return Promise.resolve(NO_RUN);
      },
    },
    interrupt,
  );
  assertEquals(asked.slice(0, 7), [1024, 2048, 4096, 8192, 16384, 32768, 65536]);
  assertEquals([ringSizes.length, repetitions, told[1]], [
    7,
    2,
    "ring-size: 1 of 14 runs (rings of 2048 entries), 1 s so far",
  ]);
});

async function runsLive(kernel: Kernel): Promise<void> {
  using interrupt = new Interrupt();
  const site = { kernel, interrupt, problems: [] };
  const run = liveRing(site, OPTIONS, 8000);
  const small = await run(RING_ENTRIES);
  const large = await run(65536);
  assertEquals(site.problems, []);
  assert(small!.fullExits > 0 && small!.stoppedNs > 0 && small!.storesPerSecond > 0);
  assert(small!.entries > large!.fullExits && large!.fullExits < small!.fullExits);
}

Deno.test("liveRing() runs guests with rings of a size, on the model", async () => {
  await runsLive(openModel(MODEL));
});

liveTest("liveRing() runs guests with rings of a size", async () => {
  await runsLive(LIBC);
});

Deno.test("bench() says what cannot be before it measures anything", async () => {
  const told: string[] = [];
  using interrupt = new ToldInterrupt((step) => told.push(step.what));
  const wrong = (changes: Partial<BenchOptions>, message: string) =>
    assertRejects(() => benchOn(openModel(MODEL), changes, {}, interrupt), UsageError, message);
  await wrong({ pages: [257] }, "pages 257");
  await wrong({ memory: [MIB, 2 ** 36] }, "memory 64GiB");
  assertEquals(told, []);
});

/**
 * One that comes when the test says so: a signal that is sent comes a moment later, whenever that
 * is.
 */
class ToldInterrupt extends Interrupt {
  told: InterruptSignal | null = null;
  override readonly progress: WorkProgress;

  /** @param begun Called when a step begins. */
  constructor(begun: (step: WorkStep) => void) {
    super();
    this.progress = new class extends WorkProgress {
      override begin(step: WorkStep) {
        begun(step);
        return super.begin(step);
      }
    }();
  }

  override get signal(): InterruptSignal | null {
    return this.told ?? super.signal;
  }
}

Deno.test("bench() answers what it gathered before an interrupt", async () => {
  let cells = 0;
  using interrupt = new ToldInterrupt(({ what }) => {
    if (what.endsWith("dirty pages") && ++cells === 2) interrupt.told = "SIGTERM";
  });
  const { interrupted, ok, cells: gathered, patterns } = await benchOn(
    openModel(MODEL),
    {
      pages: [16, 17, 18],
      sweep: ["cost", "pattern"],
    },
    {},
    interrupt,
  );
  assertEquals([interrupted, ok, patterns.length], ["SIGTERM", true, 0]);
  assertEquals(gathered.length, 4, "the first cell, of four trackings");
});
