import { dirtyEntries } from "../ring/dirty_entries.ts";
import { allocateEntries, type Entries } from "../ring/entries.ts";
import { ENTRY_WORDS, entryState, FLAGS } from "../ring/entry.ts";
import { nextHeld } from "../ring/next_held.ts";
import type { Harvester } from "../ring/harvester.ts";
import { type PageList, Witness } from "../ring/witness.ts";
import type { VcpuDriver } from "./driver.ts";
import type { Lab } from "./lab.ts";
import { type LabResult, labResult } from "./result.ts";
import { runOnce, type VcpuRun } from "./run_once.ts";
import { UsageError } from "./usage_error.ts";

/** A ring in one pass. */
export interface ResetRing {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries dirty before the harvest. */
  readonly dirty: number;
  /** Entries harvested in this pass. */
  readonly harvested: number;
  /** Entries that the call reset: their flags, read again, are 0. */
  readonly reset: number;
  /** Entries left, dirty or harvested. */
  readonly left: number;
  /** Index of the first entry left, where the kernel stopped; `null` where none is left. */
  readonly stoppedAt: number | null;
}

/** A harvest of all rings and one `KVM_RESET_DIRTY_RINGS`. */
export interface ResetPass {
  /** The rings, by vCPU. */
  readonly rings: readonly ResetRing[];
  /** What the call returned. */
  readonly reset: number;
  /** Nanoseconds that the call took. */
  readonly resetNs: number;
}

/** `dirtyring reset`: a round, harvested and reset. */
export interface ResetResult extends LabResult {
  /** What it is. */
  readonly schema: "dirtyring.reset/1";
  /** How each vCPU stopped. */
  readonly vcpus: readonly VcpuRun[];
  /** One, or two where the first left entries behind on purpose. */
  readonly passes: readonly ResetPass[];
  /** Pages that hold a store, but were in no entry harvested. */
  readonly lost: PageList;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether all held. */
  readonly ok: boolean;
}

/** What the first pass leaves behind. */
export interface ResetOptions {
  /** Harvest only the first entries of each ring. */
  readonly harvestFirst: number | undefined;
  /** Leave this entry of each ring unharvested, and harvest the rest. */
  readonly gap: number | undefined;
}

/**
 * Runs one round, harvests and resets: all at once, or in two passes of which the first leaves entries
 * behind (`harvest.in-order`, `harvest.gap-stops`, `harvest.gap-filled`).
 *
 * @param lab The lab, fresh.
 * @param driver Runs its vCPUs.
 * @param options What the first pass leaves behind.
 * @returns The passes.
 * @throws {UsageError} Where a ring holds no entry at the gap.
 */
export async function reset(
  lab: Lab,
  driver: VcpuDriver,
  options: ResetOptions,
): Promise<ResetResult> {
  const vcpus = await runOnce(lab, driver);
  const held = lab.vcpus.map(({ harvester }) => harvester.held);
  checkGap(options.gap, held);
  const { harvestFirst, gap } = options;
  const witness = new Witness(lab.memory, lab.pages);
  const problems: string[] = [];

  const first = pass(lab, problems, (harvester) => {
    if (gap === undefined) return [copy(harvester.take(harvestFirst))];
    const before = copy(harvester.take(gap));
    harvester.skip(1);
    return [before, copy(harvester.take())];
  });
  const passes = [first];
  if (gap !== undefined || harvestFirst !== undefined) {
    passes.push(pass(lab, problems, (harvester) => {
      if (gap === undefined) return [copy(harvester.take())];
      harvester.seek(gap);
      return [copy(harvester.take(1))];
    }));
  }
  for (const entries of passes.flatMap((done) => done.entries)) witness.read(entries);
  witness.check(lab.plan.sequence);

  return {
    ...labResult("dirtyring.reset/1", lab),
    vcpus,
    passes: passes.map(({ rings, reset, resetNs }) => ({ rings, reset, resetNs })),
    lost: witness.lost,
    problems,
    ok: problems.length === 0 && witness.lost.count === 0,
  };
}

function checkGap(gap: number | undefined, held: readonly number[]): void {
  if (gap === undefined) return;
  const vcpu = held.findIndex((entries) => gap >= entries);
  if (vcpu === -1) return;
  const entries = held[vcpu]!;
  throw new UsageError(
    `--gap ${gap}: vCPU ${vcpu}'s ring holds ` +
      (entries === 0
        ? "no entry; expected a store for every vCPU, with --pages"
        : `${entries} entries; expected 0 to ${entries - 1}, or more stores with --pages`),
  );
}

// The harvester's own arrays are overwritten by its next harvest.
function copy(entries: Entries): Entries {
  const kept = allocateEntries(entries.length);
  kept.length = entries.length;
  kept.words.set(entries.words.subarray(0, kept.words.length));
  return kept;
}

interface Pass extends ResetPass {
  readonly entries: readonly Entries[];
}

function pass(
  lab: Lab,
  problems: string[],
  take: (harvester: Harvester) => Entries[],
): Pass {
  const before = lab.vcpus.map(({ harvester, ring }) => {
    const held = harvester.held;
    const dirty = dirtyEntries(ring.words).length;
    const entries = take(harvester);
    const harvested = entries.reduce((sum, part) => sum + part.length, 0);
    return { held, dirty, entries, harvested, due: harvestedRun(ring.words) };
  });
  const { count: reset, ns: resetNs } = lab.vm.resetDirtyRings();

  const rings = before.map(({ held, dirty, harvested, due }, vcpu) => {
    const { harvester, ring } = lab.vcpus[vcpu]!;
    const left = harvester.held;
    if (held - left !== due) {
      problems.push(
        `vCPU ${vcpu}: ${due} entries were due for the reset, ${held - left} were reset`,
      );
    }
    return {
      vcpu,
      dirty,
      harvested,
      reset: held - left,
      left,
      stoppedAt: left === 0 ? null : firstHeld(ring.words),
    };
  });
  const seen = rings.reduce((sum, ring) => sum + ring.reset, 0);
  if (seen !== reset) {
    problems.push(`KVM_RESET_DIRTY_RINGS returned ${reset}, but ${seen} entries are reset`);
  }
  return { rings, reset, resetNs, entries: before.flatMap(({ entries }) => entries) };
}

// Entries from the first one held on that are harvested: what a reset of a fresh ring must take.
function harvestedRun(words: Uint32Array): number {
  let at = firstHeld(words) * ENTRY_WORDS;
  let run = 0;
  for (; at < words.length && entryState(words[at + FLAGS]!) === "harvested"; at += ENTRY_WORDS) {
    run++;
  }
  return run;
}

// A fresh ring holds its entries from the beginning of the mapping on, without wrapping.
function firstHeld(words: Uint32Array): number {
  return nextHeld(words, 0) / ENTRY_WORDS;
}
