import type { CheckHost } from "./check_host.ts";
import { numbers } from "./expect.ts";
import { storePages } from "./push_pages.ts";

/** What this host takes for what checks spend their time on. */
export interface Pace {
  /** Milliseconds to make a VM with a vCPU and a ring. */
  readonly machineMs: number;
  /** Microseconds for a guest's store to a page of its own. */
  readonly storeUs: number;
}

/** Stores of a round: fewer than the smallest ring's soft limit, whatever it is. */
const STORES = 128;
const ROUNDS = 3;

/**
 * What a host takes at the outside before it counts as slow. Processors take some 1 µs for a store, a software KVM
 * 20 (docs/benchmarks.md has both), and a machine is made in 1 to 20 ms.
 */
const USUAL: Pace = { machineMs: 50, storeUs: 10 };

/** Beyond this it is taken for broken, not for slow. */
const SLOWEST = 60;

/**
 * Measures a kernel by what checks do most: machines, and guest stores to fresh pages. It takes some milliseconds, of a
 * slow host a second. Nothing here is checked: a broken kernel may answer anything, and hang.
 *
 * @returns What it took.
 * @throws {KernelError} Where the kernel refuses a call.
 * @throws {CheckFailure} Where the guest does not make its stores.
 */
export function measurePace(host: CheckHost): Pace {
  // The first of everything is slower: it finds no compiled code.
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
 * @param pace What it took.
 * @returns A factor for times, from 1 to 60, with one digit behind the point.
 */
export function slownessOf({ machineMs, storeUs }: Pace): number {
  const factor = Math.max(machineMs / USUAL.machineMs, storeUs / USUAL.storeUs);
  return Math.ceil(Math.min(Math.max(factor, 1), SLOWEST) * 10) / 10;
}
