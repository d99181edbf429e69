// Shows the batches of a real kernel, which does not report them, by pages that are not pushed
// again.
import type { ResetCall } from "../../ffi/insight.ts";
import type { Random } from "../../guest/pattern.ts";
import { coalesce } from "../../ring/coalesce.ts";
import { entriesOf } from "../../ring/entry.ts";
import { expect } from "../kit/expect.ts";
import { type Place, placeNames, pushedBy, resetForged, storeTo } from "../kit/forged.ts";
import type { Machine } from "../kit/machine.ts";

/** Pages of each slot that a witness makes. */
export const WITNESS_PAGES = 1024;
/** How many pages past the slot's end a random sequence may reach. */
const PAST = 40;
/** How many pages before the slot's end a random sequence may start. */
const BEFORE = 160;
/** Attempts at a sequence before a difference counts. */
const ATTEMPTS = 3;

/** Entries of one ring, in reset order: slot 0 or 1 of the witness, and the offset there. */
export type WitnessSequence = readonly (readonly [slot: number, offset: number])[];

/** What a sequence showed. */
export interface Witnessed {
  /** The number of pages that were pushed again. */
  readonly again: number;
  /** The number of pages that were not pushed again, though an entry of the reset named them. */
  readonly silent: number;
}

/**
 * Observes batches by their effect: KVM drops a batch that holds a page past its slot, so none of
 * its pages is pushed at the next store. The observation must match what `ring/coalesce.ts`
 * computes for the sequence.
 */
export class CoalescingWitness {
  readonly #machine: Machine;
  #slots = 2;

  /**
   * Starts to use a machine.
   *
   * @param machine A machine with empty rings, and host memory for two slots of
   * {@linkcode WITNESS_PAGES} pages. The caller owns it.
   */
  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * Tries a sequence on the kernel.
   *
   * @param sequence The entries. Offsets must be within a slot or little beyond, to be safe on a
   * live kernel.
   * @throws {CheckFailure} Where the batches do not fall where the rule says.
   */
  show(sequence: WitnessSequence): Witnessed {
    const within = unique(sequence.filter(([, offset]) => offset < WITNESS_PAGES));
    const expected = placeNames(reprotected(sequence));
    let seen = this.#pushedAgain(sequence, within);
    // A change of the host mapping can push a page without a reset (push.once-until-reset). So
    // retry where there are more pages than expected: what follows from the rule comes again. A
    // missing page has no such excuse.
    const isExcused = () =>
      seen.length > expected.length && expected.every((page) => seen.includes(page));
    for (let n = 1; n < ATTEMPTS && isExcused(); n++) seen = this.#pushedAgain(sequence, within);
    const text = sequence.map(([slot, offset]) => `${"AB"[slot]}${offset}`).join(" ");
    expect(`pages pushed again after ${text}`, seen, expected);
    return { again: expected.length, silent: within.length - expected.length };
  }

  // Uses new slots each time, so that all pages are write-protected, whatever earlier sequences
  // left behind.
  #pushedAgain(sequence: WitnessSequence, within: WitnessSequence): string[] {
    const machine = this.#machine;
    const first = this.#slots;
    this.#slots += 2;
    const gfnOf = (slot: number) => machine.gfn + (first + slot) * WITNESS_PAGES;
    for (const slot of [0, 1]) {
      const hostPage = slot * WITNESS_PAGES;
      const place = { gfn: gfnOf(slot), pages: WITNESS_PAGES, hostPage };
      expect("slot set", machine.setSlot(first + slot, place), 0);
    }
    // The ring needs as many entries as the sequence has, so add pages that it does not name.
    const named = within.map(([slot, offset]) => gfnOf(slot) + offset);
    const gfns = [...new Set([...named, ...range(gfnOf(0), WITNESS_PAGES)])]
      .slice(0, sequence.length);
    storeTo(machine, gfns);
    resetForged(machine, sequence.map(([slot, offset]) => [first + slot, offset]));
    return pushedBy(machine, gfns).map((name) => {
      const [slot, offset] = name.split(":");
      return `${Number(slot) - first}:${offset}`;
    });
  }
}

/**
 * Shifts a sequence, once for each of its batches, so that the highest page of that batch is the
 * first past the slot. KVM drops that batch, and the lower pages show whether they belong to it.
 *
 * @param entries The sequence: slots 1 and 2, offsets below {@linkcode WITNESS_PAGES}.
 * @returns The shifted sequences, in slots 0 and 1 of the witness.
 */
export function pastTheSlot(entries: WitnessSequence): WitnessSequence[] {
  return batchesOf(entries).map((batch) => {
    const by = WITNESS_PAGES - Number(highest(batch));
    return entries.map(([slot, offset]) => [slot - 1, offset + by]);
  });
}

// Steps at the limits of what a mask can reach, and small ones that fill it.
const STEPS = [1, 1, 2, 3, 17, 40, 62, 63, 64, 65];

/** A random walk around the end of the slots. */
export function randomWalk(random: Random): WitnessSequence {
  let offset = WITNESS_PAGES - random(BEFORE);
  let slot = 0;
  return range(0, 10 + random(70)).map(() => {
    const entry = [slot, offset] as const;
    if (random(10) === 0) slot = 1 - slot;
    offset += STEPS[random(STEPS.length)]! * (random(2) === 0 ? 1 : -1);
    const isFar = offset < WITNESS_PAGES - BEFORE || offset >= WITNESS_PAGES + PAST;
    if (isFar) offset = WITNESS_PAGES - random(BEFORE);
    return entry;
  });
}

// Returns the pages of all batches that are not dropped.
function reprotected(sequence: WitnessSequence): WitnessSequence {
  const pages: [number, number][] = [];
  for (const batch of batchesOf(sequence)) {
    if (highest(batch) >= WITNESS_PAGES) continue;
    for (let bit = 0n; bit < 64n; bit++) {
      if ((batch.mask >> bit & 1n) === 1n) pages.push([batch.slot, Number(batch.offset + bit)]);
    }
  }
  return unique(pages);
}

function highest({ offset, mask }: ResetCall): bigint {
  return offset + BigInt(mask.toString(2).length - 1);
}

function unique(pages: WitnessSequence): WitnessSequence {
  return [...new Map(pages.map((page) => [page.join(), page])).values()];
}

function range(from: number, length: number): number[] {
  return Array.from({ length }, (_, n) => from + n);
}

/**
 * The batches that `ring/coalesce.ts` gathers from one ring's entries, in the form of
 * `kvm_reset_dirty_gfn`'s arguments.
 *
 * @example
 * ```ts
 * import { batchesOf } from "./coalescing_witness.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(batchesOf([[1, 7], [1, 5]]), [{ slot: 1, offset: 5n, mask: 0b101n }]);
 * ```
 *
 * @param entries Slot and offset of each entry, in reset order.
 */
export function batchesOf(entries: readonly Place[]): ResetCall[] {
  const calls: ResetCall[] = [];
  coalesce(entriesOf(entries), ({ slot, offsetLow, offsetHigh, maskLow, maskHigh }) => {
    calls.push({ slot, offset: wide(offsetHigh, offsetLow), mask: wide(maskHigh, maskLow) });
  });
  return calls;
}

function wide(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
