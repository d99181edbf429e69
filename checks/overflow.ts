import { KVM_EXIT_DIRTY_RING_FULL } from "../ffi/kvm_constants.ts";
import { exitName } from "../ffi/kvm_exits.ts";
import { tight16, TIGHT16_STORES } from "../guest/tight16.ts";
import { CheckSkip, Known } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect, expectOneOf, expectThat } from "./expect.ts";
import type { Machine } from "./machine.ts";
import { numbers } from "./numbers.ts";
import { needsToWarn } from "./warning.ts";

const TRIES = 10;
const FULL = exitName(KVM_EXIT_DIRTY_RING_FULL);

/**
 * `full.overflow`: lets an emulated guest push more entries than the ring has, with one instruction a store.
 *
 * @param host The host.
 * @returns The defect where it is observed, or how often it was tried.
 * @throws {CheckSkip} Where it may not be tried, or cannot be.
 * @throws {CheckFailure} Where entries are lost in another way.
 */
export function overflow(host: CheckHost): Known | string {
  if (!host.emulatesRealMode) throw new CheckSkip("this host does not emulate real mode");
  if (host.reserved >= TIGHT16_STORES) {
    throw new CheckSkip(
      `the reserve of ${host.reserved} entries is more than the guest's ${TIGHT16_STORES} stores`,
    );
  }
  needsToWarn(host);
  for (let n = 1; n <= TRIES; n++) {
    const machine = host.machine({ guest: tight16 });
    const pushed = pushPastSoftLimit(host, machine);
    if (pushed > host.entries) return overwritten(machine, pushed, n);
    // The other side: as long as the reserve is not outrun, nothing is lost.
    expect("pages in the ring", machine.dirty(0), numbers(pushed));
  }
  return `no ring overflowed in ${TRIES} tries`;
}

// Stores to page after page, an errand at a time, until the ring is full. Each store pushes once.
function pushPastSoftLimit(host: CheckHost, machine: Machine): number {
  for (let pushed = 0;;) {
    const exit = machine.store(0, numbers(TIGHT16_STORES, machine.gfn + pushed));
    pushed += TIGHT16_STORES - machine.remaining(0);
    expectOneOf("exit", exit, [FULL, tight16.exit]);
    if (exit === FULL || pushed > host.entries) return pushed;
  }
}

function overwritten(machine: Machine, pushed: number, tries: number): Known {
  const { entries } = machine.rings[0]!;
  const lost = pushed - entries;
  const held = machine.held(0);
  expect("entries held", held.length, entries);
  // Push n stands at index n modulo the size: the first ones gave way to the last.
  const offsets = held.map(({ offset }) => offset);
  expect("pages in the ring", offsets, [
    ...numbers(lost, entries),
    ...numbers(entries - lost, lost),
  ]);
  expect("entries harvested", machine.harvest(0), entries);
  expect("entries reset", machine.reset(), entries);
  // KVM goes on behind the last push, the harvester where the overwritten entries were: all flags 0.
  const exit = machine.store(0, numbers(TIGHT16_STORES, machine.gfn + pushed));
  expectOneOf("exit after the reset", exit, [FULL, tight16.exit]);
  const stuck = machine.held(0).length;
  expectThat("entries after the next run", stuck > 0, "some", stuck);
  expect("of these, in reach of an in-order harvest", machine.dirty(0).length, 0);
  return new Known(
    `${pushed} pushes into ${entries} entries in try ${tries}: pages 0 to ${lost - 1} were ` +
      `overwritten; after a harvest and a reset of ${entries}, ${stuck} new entries are out of reach`,
  );
}
