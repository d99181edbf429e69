// Checks of slots that are deleted or changed, and of entries that are rewritten, between harvest
// and reset.
import { type Random, seeded } from "../../guest/pattern.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { type CheckAnswer, expect, expectOneOf, Known, MAIN, RING } from "../kit/expect.ts";
import { forgeEntries, placeNames, pushedBy, resetForged, storeTo } from "../kit/forged.ts";
import type { Machine } from "../kit/machine.ts";
import { needsToHarm } from "../kit/vm_stats.ts";
import { SLOT_KIND_CHECKS } from "./slot_kinds.ts";

/** Pages of the machine's slot 1. */
const PAGES = 1024;
/** Place and host memory of slot 2, for the checks that need one. */
const SECOND = { gfn: 0x2000, pages: 64, hostPage: PAGES } as const;
/** An id that no kernel allows: x86 has at most 32764 slots. */
const INVALID_ID = 0xffff;
/** A slot id that is valid and names no slot. */
const NO_SLOT = 100;
/** Slot 1 of an address space that x86 does not have: it has at most two. */
const NO_ADDRESS_SPACE = 0xff_0001;

function gfnsOf(machine: Machine, offsets: readonly number[]): number[] {
  return offsets.map((offset) => machine.gfn + offset);
}

function setSlot(machine: Machine, slot: number, place: Parameters<Machine["setSlot"]>[1]): void {
  expect(`slot ${slot} set`, machine.setSlot(slot, place), 0);
}

/** The statements of "Slots that change between harvest and reset". */
export const SLOTS_CHECKS: readonly Check[] = [
  {
    id: "slot.gone",
    statement: "an entry whose slot is deleted, whose id is invalid or whose offset is past the " +
      "slot is skipped silently, and still counted",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      setSlot(machine, 2, SECOND);
      storeTo(machine, [SECOND.gfn, SECOND.gfn + 1]);
      expect("harvested", machine.harvest(0), 2);
      // Delete the slot before the other stores: that unmaps all pages of the VM, so they would be
      // pushed again in any case.
      setSlot(machine, 2, { ...SECOND, pages: 0 });
      const pages = [0, 100, 200, 300, 400, 500, 501];
      storeTo(machine, gfnsOf(machine, pages));
      const places = [
        [1, 0],
        [INVALID_ID, 100],
        [NO_SLOT, 200],
        [NO_ADDRESS_SPACE, 300],
        [1, PAGES],
        [1, 500],
        [NO_ADDRESS_SPACE, 501], // same id as slot 1, and adjacent to the page before
      ] as const;
      forgeEntries(machine, places);
      machine.harvest(0);
      expect("entries reset", machine.reset(), 2 + places.length);
      // Pages that no entry names any more must not have been re-protected.
      expect("pages pushed again", pushedBy(machine, gfnsOf(machine, pages)), ["1:0", "1:500"]);
      setSlot(machine, 2, SECOND);
      expect("the slot made anew", pushedBy(machine, [SECOND.gfn]), ["2:0"]);
    },
  },
  {
    id: "slot.batch-dropped",
    statement: "when a batch's highest page is past the slot, the whole batch is dropped",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const last = PAGES - 1;
      // Seven pages for seven entries. After forging, no entry names page 0.
      const pages = [last - 3, last - 2, last - 1, last, 500, 501, 0];
      storeTo(machine, gfnsOf(machine, pages));
      resetForged(machine, [
        [1, last - 3], // dropped,
        [1, last - 2], // dropped
        [1, last + 1], // the page past the slot, which drops the batch
        [1, 500],
        [1, 501],
        [1, last - 1],
        [1, last], // highest, but within the slot
      ]);
      expect("pages pushed again", pushedBy(machine, gfnsOf(machine, pages)), [
        "1:500",
        "1:501",
        `1:${last - 1}`,
        `1:${last}`,
      ]);
      // The same for a batch that starts with the page past the slot and grows backwards.
      const backwards = host.machine();
      const three = gfnsOf(backwards, [last, last - 1, last - 2]);
      storeTo(backwards, three);
      resetForged(backwards, [[1, last + 1], [1, last], [1, last - 1]]);
      expect("of a batch that begins past the slot", pushedBy(backwards, three), []);
    },
  },
  {
    id: "slot.entries-survive",
    statement: "entries outlive their slot and stay harvestable",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const pages = [3, 4, 900];
      storeTo(machine, gfnsOf(machine, pages));
      const before = machine.held(0).map((entry) => Object.values(entry));
      expect("entries pushed", before.length, pages.length);
      setSlot(machine, 1, { gfn: machine.gfn, pages: 0 });
      const after = machine.held(0).map((entry) => Object.values(entry));
      expect("entries without their slot", after, before);
      expect("one harvested", machine.harvest(0, 1), 1);
      expect("its reset", machine.reset(), 1);
      expect("the others harvested", machine.harvest(0), 2);
      expect("their reset", machine.reset(), 2);
      expect("entries left", machine.held(0).length, 0);
      // The ring still works: entries of a new slot with that id follow.
      setSlot(machine, 1, { gfn: machine.gfn, pages: PAGES });
      expect("the slot made anew", pushedBy(machine, gfnsOf(machine, pages)), [
        "1:3",
        "1:4",
        "1:900",
      ]);
    },
  },
  {
    id: "slot.log-off",
    statement:
      "once logging is switched off, old entries still reset and new writes are not logged",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine();
      const { gfn } = machine;
      const written = gfnsOf(machine, [3, 4, 5, 6]);
      storeTo(machine, written.slice(0, 3));
      expect("pushed while logged", machine.dirty(0).length, 3);
      setSlot(machine, 1, { gfn, pages: PAGES, flags: 0 });
      storeTo(machine, written);
      expect("entries after stores that are not logged", machine.dirty(0).length, 3);
      expect("harvested", machine.harvest(0), 3);
      expect("their reset", machine.reset(), 3);
      expect("pushed after the reset", pushedBy(machine, written), []);
      const values = [3, 4, 5, 6].map((page) => machine.word(page));
      expect("the stores themselves", values, [8, 9, 10, 11]);
      setSlot(machine, 1, { gfn, pages: PAGES });
      expect("logged again", pushedBy(machine, written), ["1:3", "1:4", "1:5", "1:6"]);
    },
  },
  {
    id: "slot.reread",
    statement: "slot and offset are read again from the mapping at reset time",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      setSlot(machine, 2, SECOND);
      const pages = [...gfnsOf(machine, [10, 30]), SECOND.gfn + 10, SECOND.gfn + 30];
      storeTo(machine, pages);
      const from = machine.fetch(0);
      expect("harvested", machine.harvest(0), 4);
      // Rewrite the entries after they are marked. No entry names page 10 of slot 1 any more.
      const forged = [[1, 30], [2, 30], [2, 10], [2, 10]] as const;
      forged.forEach(([slot, offset], n) => machine.forge(0, from + n, slot, offset));
      expect("entries reset", machine.reset(), 4);
      expect("pages pushed again", pushedBy(machine, pages), ["1:30", "2:10", "2:30"]);
    },
  },
  {
    id: "slot.rewritten-order",
    statement:
      "entries may be rewritten in another order before they are marked: the reset takes " +
      "all, and re-protects every page",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const random = seeded(1);
      const pages = shuffled(Array.from({ length: 120 }, (_, n) => n * 8 + random(8)), random);
      const gfns = gfnsOf(machine, pages);
      const all = placeNames(pages.map((page) => [1, page]));
      const orders = {
        sorted: pages.toSorted((a, b) => a - b),
        "sorted downwards": pages.toSorted((a, b) => b - a),
        permuted: shuffled(pages, random),
      };
      for (const [order, offsets] of Object.entries(orders)) {
        storeTo(machine, gfns);
        resetForged(machine, offsets.map((offset) => [1, offset]));
        expect(`pages pushed again, ${order}`, pushedBy(machine, gfns), all);
      }
      // Counter-check: a page that the rewriting leaves out is not re-protected.
      storeTo(machine, gfns);
      resetForged(machine, [...pages.slice(1), pages[1]!].map((offset) => [1, offset]));
      const rest = placeNames(pages.slice(1).map((page) => [1, page]));
      expect("pages pushed again, one left out", pushedBy(machine, gfns), rest);
    },
  },
  {
    id: "slot.wraparound",
    statement:
      "an offset near 2^64 in one batch with offset 0 defeats the bound check before the " +
      "2026 fix",
    source: RING,
    where: "live",
    harms: true,
    run: wraparound,
  },
  ...SLOT_KIND_CHECKS,
];

function shuffled(list: readonly number[], random: Random): number[] {
  return list.map((value) => ({ value, key: random(2 ** 32) }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/**
 * The first release that has the fix in every kernel. Older releases may or may not have it, since
 * it was backported.
 */
const FIXED = "7.1";

// Sequences of offsets near 2^64, written as negative numbers, and of the first pages of a slot.
// `names` are the pages of the slot among them. `always` are those re-protected with or without the
// fix, because they are in another batch.
const WRAPAROUNDS: readonly {
  readonly offsets: readonly bigint[];
  readonly names: readonly number[];
  readonly always: readonly number[];
}[] = [
  { offsets: [0n, -1n, -1n], names: [0], always: [] }, // backwards
  { offsets: [-2n, 0n, 1n], names: [0, 1], always: [] }, // forwards, across the end of u64
  { offsets: [0n, -63n, -63n], names: [0], always: [] }, // as far apart as a mask allows
  { offsets: [0n, -64n, -64n], names: [0], always: [0] }, // too far for one batch
  { offsets: [-1n, -1n, -1n], names: [], always: [] }, // the bound check catches it: no wrap
];

/** The page of the last entry in each case. It is always re-protected. */
const LAST = 300;

/** Which pages a case pushed again, compared with a kernel with and one without the fix. */
export interface WrapAnswer {
  /** The question, in words. */
  readonly what: string;
  /** The pages pushed again. */
  readonly pushed: readonly string[];
  /** The pages that a kernel with the fix pushes. */
  readonly withFix: readonly string[];
  /** The pages that a kernel without the fix pushes. */
  readonly without: readonly string[];
}

/**
 * Whether a kernel has the fix. All cases must agree: a kernel that behaves as fixed in one case
 * and as unfixed in another has some other bug.
 *
 * @param answers At least one case.
 * @throws {CheckFailure} Where a case matches neither, or the cases disagree.
 */
export function hasWrapFix(answers: readonly WrapAnswer[]): boolean {
  for (const { what, pushed, withFix, without } of answers) {
    expectOneOf(what, pushed, [withFix, without]);
  }
  const same = (a: readonly string[], b: readonly string[]) => `${a}` === `${b}`;
  if (answers.every(({ pushed, without }) => same(pushed, without))) return false;
  for (const { what, pushed, withFix } of answers) expect(what, pushed, withFix);
  return true;
}

/**
 * `slot.wraparound`: batches in which the bound check of `kvm_reset_dirty_gfn` wraps.
 *
 * @returns What happened to the batch; a {@linkcode Known} defect on a real kernel without the fix.
 * @throws {CheckSkip} On a real kernel without `--allow-harm`.
 * @throws {CheckFailure} Where other pages are re-protected, or the fix is missing in a kernel that
 * should have it.
 */
function wraparound(host: CheckHost): CheckAnswer {
  // Must come before any entry is written.
  needsToHarm(host);
  const { insight } = host.kernel;
  const answers = WRAPAROUNDS.map(({ offsets, names, always }): WrapAnswer => {
    const machine = host.machine();
    const gfns = [0, 1, 2, LAST].map((offset) => machine.gfn + offset);
    storeTo(machine, gfns);
    resetForged(machine, [...offsets, LAST].map((offset) => [1, offset]));
    const named = (pages: readonly number[]) =>
      placeNames([...pages, LAST].map((page) => [1, page]));
    return {
      what: `pages pushed again after ${offsets.join(", ")}`,
      pushed: pushedBy(machine, gfns),
      withFix: named(always),
      without: named(names),
    };
  });
  const isFixed = hasWrapFix(answers);
  if (insight !== null || host.since(FIXED)) {
    expect("whether it has the fix", isFixed, insight === null || insight.version === "latest");
  }
  if (isFixed) return "the batch is dropped";
  const told = "the bound check passes, and page 0 is re-protected";
  return insight === null ? new Known(`${told}: the fix of 2026 is missing`) : told;
}
