// How the cost of learning dirty pages grows with the guest's memory: rings and bitmaps.
import { HarvestCycle } from "../drive/harvest_cycle.ts";
import { InlineDriver } from "../drive/inline_driver.ts";
import { Rounds } from "../drive/rounds.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { BitmapTracker } from "../machine/bitmap_tracker.ts";
import type { BitmapKind, Take } from "../machine/dirty_tracker.ts";
import { GuestVm, ringVm } from "../machine/guest_vm.ts";
import { type Plan, planLab } from "../machine/plan.ts";
import { takePlain, takeSorted } from "../machine/ring_tracker.ts";
import { quantile } from "../ring/distribution.ts";
import { RingStatistics } from "../ring/statistics.ts";

const MIB = 2 ** 20;
const LEAST = 64 * MIB;
const MOST = 16384 * MIB;
const PAGES = 1000;
/** Large enough that the ring is never full. */
const RING = 4096;
/**
 * A guest has several turns in a row, so that the caches hold its data. The first few turns of a
 * burst do not count.
 */
const BURSTS = 7;
const BURST = 12;
const WARM_UPS = 4;

/** A guest's memory, and the part of it over which its dirty pages are spread, both in bytes. */
interface Size {
  readonly memory: number;
  readonly within: number;
}

/** The last one separates the effect of a large guest from that of pages that lie far apart. */
const SIZES: readonly Size[] = [
  ...[LEAST, 256 * MIB, 1024 * MIB, 4096 * MIB, MOST].map((memory) => ({ memory, within: memory })),
  { memory: MOST, within: LEAST },
];

/** The cost of learning the dirty pages once and of re-protecting them, in nanoseconds. */
interface Cost {
  readonly learnNs: number;
  readonly rearmNs: number;
}

/** A guest whose dirty pages are tracked in one way. */
interface Tracked extends Disposable {
  /** Lets the guest dirty its pages, and learns them. */
  turn(): Promise<Cost>;
  /** Batches that a reset forms of the pages, modelled; `null` with bitmaps. */
  readonly batches: number | null;
}

/** A way of tracking, with the names of its columns. */
interface Way {
  readonly name: string;
  readonly learn: string;
  readonly rearm: string;
  open(kernel: Kernel, size: Size): Promise<Tracked>;
}

const WAYS: readonly Way[] = [
  {
    name: "ring",
    learn: "harvest",
    rearm: "reset",
    open: (kernel, size) => trackByRing(kernel, size, takePlain),
  },
  {
    name: "ring, sorted",
    learn: "harvest",
    rearm: "reset",
    open: (kernel, size) => trackByRing(kernel, size, takeSorted),
  },
  {
    name: "bitmap",
    learn: "get, scan",
    rearm: "",
    open: (kernel, size) => trackByBitmap(kernel, size, "bitmap"),
  },
  {
    name: "bitmap, cleared by hand",
    learn: "get, scan",
    rearm: "clear",
    open: (kernel, size) => trackByBitmap(kernel, size, "bitmap-manual"),
  },
];

/**
 * Measures what it costs to learn and re-protect a thousand random dirty pages, in guests of 64 MiB
 * to 16 GiB, to show how it grows with the guest. The sizes take turns, in bursts.
 *
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 */
export async function benchGrowth(kernel: Kernel): Promise<void> {
  for (const way of WAYS) {
    using vms = new DisposableStack();
    const tracked: Tracked[] = [];
    for (const size of SIZES) tracked.push(vms.use(await way.open(kernel, size)));
    const costs: Cost[][] = SIZES.map(() => []);
    for (let burst = -1; burst < BURSTS; burst++) {
      for (const [n, vm] of tracked.entries()) {
        for (let turn = 0; turn < BURST; turn++) {
          const cost = await vm.turn();
          if (burst >= 0 && turn >= WARM_UPS) costs[n]!.push(cost);
        }
      }
    }
    print(way, tracked, costs);
  }
}

function planOf(memory: number): Plan {
  return planLab({
    guest: "long64",
    vcpus: 1,
    memory,
    slots: 1,
    ringBytes: RING * kvm_dirty_gfn.size,
    pattern: { name: "random", parameter: 0 },
    pages: PAGES,
    rounds: 1,
    seed: 1,
  });
}

async function trackByRing(kernel: Kernel, size: Size, take: Take): Promise<Tracked> {
  using resources = new DisposableStack();
  const lab = resources.use(ringVm(kernel, planOf(size.memory)));
  lab.load(planOf(size.within).sequence);
  const statistics = new RingStatistics();
  const counted = new Rounds(lab, new InlineDriver(), { statistics: [statistics] }, take);
  await counted.round(); // all pages are allocated from now on
  const before = statistics.result("v6.17").batches;
  await counted.round();
  const batches = statistics.result("v6.17").batches - before;
  const rounds = new Rounds(lab, new InlineDriver(), {}, take);
  const owned = resources.move();
  return {
    batches,
    async turn() {
      const { entries, fullExits, harvestNs, resetNs } = await rounds.round();
      if (rounds.problems.length > 0) throw new Error(rounds.problems.join("; "));
      check(entries);
      if (fullExits > 0) throw new Error("the ring was full");
      return { learnNs: harvestNs, rearmNs: resetNs };
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}

async function trackByBitmap(kernel: Kernel, size: Size, kind: BitmapKind): Promise<Tracked> {
  using resources = new DisposableStack();
  const vm = resources.use(new GuestVm(kernel, planOf(size.memory), new BitmapTracker(kind)));
  vm.load(planOf(size.within).sequence);
  const cycle = new HarvestCycle(vm.tracker);
  const driver = new InlineDriver();
  const owned = resources.move();
  return await Promise.resolve({
    batches: null,
    async turn() {
      vm.begin(0, 0, PAGES);
      await driver.run(vm.vcpus[0]!.vcpu);
      check(cycle.learn([]));
      let rearmNs = 0;
      cycle.rearm(({ ns }) => rearmNs += ns);
      return { learnNs: cycle.learnNs, rearmNs };
    },
    [Symbol.dispose]: () => owned.dispose(),
  });
}

function check(found: number): void {
  if (found !== PAGES) throw new Error(`${found} dirty pages found of ${PAGES}`);
}

function print(way: Way, tracked: readonly Tracked[], costs: readonly (readonly Cost[])[]): void {
  console.log(`  ${way.name}`);
  const medianOf = (n: number, value: (cost: Cost) => number) =>
    quantile(costs[n]!.map(value), 0.5);
  const total = (n: number) => medianOf(n, ({ learnNs, rearmNs }) => learnNs + rearmNs);
  for (const [n, { memory, within }] of SIZES.entries()) {
    const where = within === memory ? "" : `, pages within ${within / MIB}`;
    const columns = [
      `    ${`${memory / MIB} MiB${where}`.padEnd(27)}`,
      `${micro(total(n)).padStart(9)}`,
      `${(total(n) / total(0)).toFixed(2).padStart(6)} times the first`,
      `${way.learn} ${micro(medianOf(n, ({ learnNs }) => learnNs))}`,
    ];
    if (way.rearm !== "") {
      columns.push(`${way.rearm} ${micro(medianOf(n, ({ rearmNs }) => rearmNs))}`);
    }
    const { batches } = tracked[n]!;
    if (batches !== null) columns.push(`${batches} batches (modelled)`);
    console.log(columns.join("  "));
  }
}

function micro(ns: number): string {
  return `${(ns / 1e3).toFixed(1)} µs`;
}
