// One pass over all rings, harvest and reset, with what the rings hold before and after it.
import type { Take } from "../machine/dirty_tracker.ts";
import type { RingVm } from "../machine/guest_vm.ts";
import type { KernelState, KernelStates } from "../machine/kernel_state.ts";
import {
  allocateEntries,
  dirtyEntries,
  type Entries,
  ENTRY_WORDS,
  entryState,
  FLAGS,
  nextHeld,
} from "../ring/entry.ts";
import { resetProblem } from "./harvest_cycle.ts";

/** What one pass did to a ring. */
export interface ResetRing {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries dirty before the harvest. */
  readonly dirty: number;
  /** Entries harvested in this pass. */
  readonly harvested: number;
  /** Entries that the call reset: their flags read 0 afterwards. */
  readonly reset: number;
  /** Entries left, dirty or harvested. */
  readonly left: number;
  /** Index of the first entry left, at which the kernel stopped; `null` if none is left. */
  readonly stoppedAt: number | null;
  /**
   * The kernel's own state before the harvest and after the reset; `null` if it was not asked for.
   */
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

/** A pass, with the entries that it harvested. */
export interface DonePass {
  /** The part that is shown. */
  readonly shown: ResetPass;
  /** Copies of the entries, by vCPU. */
  readonly entries: readonly Entries[];
}

/**
 * Harvests all rings of a lab, resets them, and looks at them again.
 *
 * @param lab The lab, in its first round: entries of a fresh ring start at index 0.
 * @param problems Receives the checks that fail.
 * @param states Reads the kernel's own state; `null` if it is not wanted.
 * @param take Harvests a ring; it may leave entries behind.
 * @throws {HostError} If the state is wanted, but cannot be read.
 */
export function resetPass(
  lab: RingVm,
  problems: string[],
  states: KernelStates | null,
  take: Take,
): DonePass {
  const early = states?.now(lab);
  const { tracker } = lab;
  const before = tracker.rings.map(({ harvester, ring }) => ({
    held: harvester.held,
    dirty: dirtyEntries(ring.words).length,
  }));
  // Entries may be left behind on purpose. So what a reset must take is read from the rings, not
  // from the harvest.
  tracker.learn(lab.vcpus.map((_, id) => id), take);
  const entries = tracker.fresh.map((harvested) => copyEntries(harvested.entries));
  const due = tracker.rings.map(({ ring }) => harvestedRun(ring.words));
  const resetRings = () => tracker.rearm();
  const [answer, late] = states === null ? [resetRings(), null] : states.after(lab, resetRings);
  const { count: reset, ns: resetNs } = answer;

  const rings = before.map(({ held, dirty }, vcpu) => {
    const { harvester, ring } = tracker.rings[vcpu]!;
    const left = harvester.held;
    if (held - left !== due[vcpu]) {
      problems.push(
        `vCPU ${vcpu}: ${due[vcpu]} entries were due for the reset, ${held - left} were reset`,
      );
    }
    const [first, last] = [early?.[vcpu], late?.[vcpu]];
    return {
      vcpu,
      dirty,
      harvested: entries[vcpu]!.length,
      reset: held - left,
      left,
      stoppedAt: left === 0 ? null : firstHeld(ring.words),
      kernelState: first === undefined || last === undefined
        ? null
        : { before: first, after: last },
    };
  });
  const seen = rings.reduce((sum, ring) => sum + ring.reset, 0);
  if (seen !== reset) problems.push(resetProblem(reset, seen, "are reset"));
  return { shown: { rings, reset, resetNs }, entries };
}

/**
 * Copies what a harvester took, since its next harvest overwrites its array.
 *
 * @param room Capacity of the copy in entries; as many as there are unless given.
 * @returns The same entries, to keep.
 */
export function copyEntries(entries: Entries, room: number = entries.length): Entries {
  const kept = allocateEntries(room);
  kept.length = entries.length;
  kept.words.set(entries.words.subarray(0, entries.length * ENTRY_WORDS));
  return kept;
}

// The number of harvested entries in a row, from the first held one on: what a reset of a fresh
// ring must take.
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
