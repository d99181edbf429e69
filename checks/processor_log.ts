// How what a processor noted in its PML buffer comes to the ring.
import type { Check } from "./check.ts";
import { CheckSkip } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect, expectOneOf } from "./expect.ts";
import type { Machine } from "./machine.ts";
import { ascending } from "./numbers.ts";
import { X86 } from "./sources.ts";
import { storePages } from "./store_pages.ts";

/** Tries until no interrupt of the host falls between the stores: it empties the buffer early. */
const TRIES = 10;

function needsPml(host: CheckHost): void {
  if (!host.pml) throw new CheckSkip("needs a processor with PML");
}

// Stores to pages, and has them protected again: mapped and clean, so that from now on the processor notes them.
function makeClean(machine: Machine, pages: readonly number[]): void {
  storePages(machine, pages);
  expect("entries harvested", machine.harvest(0), pages.length);
  expect("entries reset", machine.reset(), pages.length);
}

// The pages that a run of stores pushes, in ring order; harvested and reset.
function pushed(machine: Machine, pages: readonly number[]): number[] {
  storePages(machine, pages);
  const order = machine.dirty(0);
  expect("pages pushed", ascending(order), ascending(pages));
  machine.harvest(0);
  expect("entries reset", machine.reset(), pages.length);
  return order;
}

/** `push.pml-order` and `push.pml-before-fault`, statements of "Who pushes, and when". */
export const PROCESSOR_LOG_CHECKS: readonly Check[] = [
  {
    id: "push.pml-order",
    statement: "with PML, entries come in the order of the writes from v6.14 on",
    source: `${X86}, v6.14`,
    where: "live",
    run(host) {
      needsPml(host);
      const machine = host.machine();
      const pages = [9, 3, 700, 7, 1, 200];
      makeClean(machine, pages);
      if (host.since("6.14")) {
        for (let n = 0; n < TRIES; n++) {
          expect("pages in ring order", pushed(machine, pages), pages);
        }
        return;
      }
      // Before, each flush brought the newest page first.
      const orders = Array.from({ length: TRIES }, () => `${pushed(machine, pages)}`);
      expectOneOf("the reverse order", `${pages.toReversed()}`, orders);
      return "before v6.14: each time that the buffer is emptied, the newest page first";
    },
  },
  {
    id: "push.pml-before-fault",
    statement:
      "with PML, what the buffer holds is pushed before the page of a fault that ends the same run",
    source: X86,
    where: "live",
    run(host) {
      needsPml(host);
      const machine = host.machine();
      const noted = [4, 2, 6];
      makeClean(machine, noted);
      const fresh = 800;
      storePages(machine, [...noted, fresh]);
      const order = machine.dirty(0);
      expect("pages noted by the processor", ascending(order.slice(0, -1)), ascending(noted));
      expect("the page that faulted", order.at(-1) ?? null, fresh);
    },
  },
];
