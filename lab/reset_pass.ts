import { dirtyEntries } from "../ring/dirty_entries.ts";
import { allocateEntries, type Entries } from "../ring/entries.ts";
import { ENTRY_WORDS, entryState, FLAGS } from "../ring/entry.ts";
import type { Harvester } from "../ring/harvester.ts";
import { nextHeld } from "../ring/next_held.ts";
import type { KernelState, KernelStates } from "./kernel_state.ts";
import type { Lab } from "./lab.ts";

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
  /** The kernel's own state before the harvest and after the reset; `null` where not asked for. */
  readonly kernelState: { readonly before: KernelState; readonly after: KernelState } | null;
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

/** A pass, with what it harvested. */
export interface DonePass {
  /** What is shown of it. */
  readonly shown: ResetPass;
  /** The entries of all rings. */
  readonly entries: readonly Entries[];
}

/**
 * Harvests all rings of a lab, resets, and looks at the rings again.
 *
 * @param lab The lab, in its first round: a fresh ring holds its entries from the beginning on.
 * @param problems Gets what did not hold.
 * @param states Asks for the kernel's own state; `null` where it is not wanted.
 * @param take Harvests a ring; answers copies of what it took.
 * @returns The pass.
 * @throws {HostError} Where the state is wanted and not told.
 */
export function resetPass(
  lab: Lab,
  problems: string[],
  states: KernelStates | null,
  take: (harvester: Harvester) => Entries[],
): DonePass {
  const early = states?.now(lab);
  const before = lab.vcpus.map(({ harvester, ring }) => {
    const held = harvester.held;
    const dirty = dirtyEntries(ring.words).length;
    const entries = take(harvester);
    const harvested = entries.reduce((sum, part) => sum + part.length, 0);
    return { held, dirty, entries, harvested, due: harvestedRun(ring.words) };
  });
  const resetRings = () => lab.vm.resetDirtyRings();
  const [answer, late] = states === null ? [resetRings(), null] : states.after(lab, resetRings);
  const { count: reset, ns: resetNs } = answer;

  const rings = before.map(({ held, dirty, harvested, due }, vcpu) => {
    const { harvester, ring } = lab.vcpus[vcpu]!;
    const left = harvester.held;
    if (held - left !== due) {
      problems.push(
        `vCPU ${vcpu}: ${due} entries were due for the reset, ${held - left} were reset`,
      );
    }
    const [first, last] = [early?.[vcpu], late?.[vcpu]];
    return {
      vcpu,
      dirty,
      harvested,
      reset: held - left,
      left,
      stoppedAt: left === 0 ? null : firstHeld(ring.words),
      kernelState: first === undefined || last === undefined
        ? null
        : { before: first, after: last },
    };
  });
  const seen = rings.reduce((sum, ring) => sum + ring.reset, 0);
  if (seen !== reset) {
    problems.push(`KVM_RESET_DIRTY_RINGS returned ${reset}, but ${seen} entries are reset`);
  }
  return { shown: { rings, reset, resetNs }, entries: before.flatMap(({ entries }) => entries) };
}

/**
 * Copies what a harvester took: its own array is overwritten by its next harvest.
 *
 * @param entries The entries.
 * @returns The same entries, to keep.
 */
export function copyEntries(entries: Entries): Entries {
  const kept = allocateEntries(entries.length);
  kept.length = entries.length;
  kept.words.set(entries.words.subarray(0, kept.words.length));
  return kept;
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

function firstHeld(words: Uint32Array): number {
  return nextHeld(words, 0) / ENTRY_WORDS;
}
