// Measures how fast a host is, so that time limits of checks can grow on a slow one.
import type { CheckHost } from "./check_host.ts";
import { numbers } from "./expect.ts";
import { storePages } from "./push_pages.ts";

/** How long this host takes for the operations that dominate checks. */
export interface Pace {
  /** Milliseconds to make a VM with a vCPU and a ring. */
  readonly machineMs: number;
  /** Microseconds for a guest's store to a page of its own. */
  readonly storeUs: number;
}

/** Stores in a round: fewer than the soft limit of any ring, with PML or without. */
const STORES = 128;
const ROUNDS = 3;

/**
 * The most that a host may take without counting as slow. A store takes about 1 µs on a processor
 * and 20 µs on a software KVM (see docs/benchmarks.md); making a machine takes 1 to 20 ms.
 */
const USUAL: Pace = { machineMs: 50, storeUs: 10 };

/** A host that seems slower than this is taken to be broken, not slow. */
const SLOWEST = 60;

/**
 * Measures a kernel by what checks do most: making machines, and guest stores to fresh pages. This
 * takes some milliseconds, or a second on a slow host. No statement is checked here, and a broken
 * kernel may answer anything, or hang.
 *
 * @throws {KernelError} Where the kernel refuses a call.
 * @throws {CheckFailure} Where the guest does not make its stores.
 */
export function measurePace(host: CheckHost): Pace {
  // Warm up: the first run of everything is slower, before the code is compiled.
  for (const machine of [host.machine(), host.machine()]) storePages(machine, numbers(STORES));
  const began = performance.now();
  const machine = host.machine();
  const machineMs = performance.now() - began;
  const rounds = numbers(ROUNDS).map((round) => {
    const pages = numbers(STORES, round * STORES);
    const began = performance.now();
    storePages(machine, pages);
    const took = performance.now() - began;
    machine.harvest(0);
    machine.reset();
    return took;
  });
  const median = rounds.sort((a, b) => a - b)[ROUNDS >> 1]!;
  return { machineMs, storeUs: median * 1000 / STORES };
}

/**
 * How much slower than usual a host is.
 *
 * @example
 * ```ts
 * import { slownessOf } from "./pace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(slownessOf({ machineMs: 4, storeUs: 1 }), 1);
 * assertEquals(slownessOf({ machineMs: 250, storeUs: 200 }), 20);
 * assertEquals(slownessOf({ machineMs: 251, storeUs: 1 }), 5.1);
 * assertEquals(slownessOf({ machineMs: 1e9, storeUs: 1 }), 60);
 * ```
 *
 * @returns A factor from 1 to 60 by which to multiply times, rounded up to one decimal place.
 */
export function slownessOf({ machineMs, storeUs }: Pace): number {
  const factor = Math.max(machineMs / USUAL.machineMs, storeUs / USUAL.storeUs);
  return Math.ceil(Math.min(Math.max(factor, 1), SLOWEST) * 10) / 10;
}
