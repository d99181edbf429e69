import { type InlineDriver, runOnce, type VcpuRun } from "../../drive/inline_driver.ts";
import { type InterruptSignal, type InterruptWatch, NOT_WATCHED } from "../../host/interrupt.ts";
import { type LabResult, labResult, type RingVm } from "../../machine/guest_vm.ts";
import type { KernelState, KernelStates } from "../../machine/kernel_state.ts";
import { vcpuBits } from "../../machine/plan.ts";
import { checkMemory } from "../../machine/touched_pages.ts";
import { type LostPages, Witness } from "../../memory/witness.ts";
import {
  dirtyEntries,
  ENTRY_WORDS,
  type EntryState,
  entryState,
  FLAGS,
  nextHeld,
  OFFSET,
  SLOT,
  type Slot,
} from "../../ring/entry.ts";

/** An entry as it stands in the ring. */
export interface DumpedEntry {
  /** Index of the entry in the ring. */
  readonly index: number;
  /** Flags: bit 0 dirty, bit 1 harvested. */
  readonly flags: number;
  /** The state that the flags stand for. */
  readonly state: EntryState;
  /** The slot's address space. */
  readonly addressSpace: number;
  /** The slot's id. */
  readonly slot: number;
  /**
   * Offset from the slot's base in pages; a string beyond 2^53, where a number would not be exact.
   */
  readonly offset: number | string;
  /** The guest frame number; `null` if no slot has such a page. */
  readonly gfn: number | null;
}

/** A vCPU's ring, and how the vCPU stopped. */
export interface DumpedRing extends VcpuRun {
  /** The kernel's own state of the ring after the round; `null` if not asked for. */
  readonly kernelState: KernelState | null;
  /** The entries that were asked for. */
  readonly entries: readonly DumpedEntry[];
}

/** The result of `dirtyring dump`: every vCPU's ring after one round. */
export interface DumpResult extends LabResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.dump/1";
  /** The rings, by vCPU. */
  readonly rings: readonly DumpedRing[];
  /** Pages that hold a store but have no dirty entry in any ring. */
  readonly lost: LostPages;
  /** Whether no page was lost. */
  readonly ok: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** Which entries are wanted. */
export interface DumpOptions {
  /** Only this vCPU's ring. */
  readonly vcpu: number | undefined;
  /** All entries of the ring, those that KVM has not written yet, too. */
  readonly all: boolean;
  /** Reads the kernel's own state of each ring; the state is left out without it. */
  readonly states?: KernelStates | null;
  /** Ends it early; the result then has the entries up to there. */
  readonly interrupt?: InterruptWatch;
}

/**
 * Runs one round and reads every ring as it then stands, without harvesting.
 *
 * @throws {HostError} If the kernel's own state is wanted and cannot be read.
 */
export async function dump(
  lab: RingVm,
  driver: InlineDriver,
  options: DumpOptions,
): Promise<DumpResult> {
  const { interrupt = NOT_WATCHED } = options;
  const runs = await runOnce(lab, driver, interrupt.progress);
  const witness = new Witness(lab.memory, lab.pages, vcpuBits(lab.vcpus.length));
  for (const { ring } of lab.tracker.rings) {
    witness.read(dirtyEntries(ring.words));
    await interrupt.pause();
  }
  for (const { vcpu, stores } of runs) {
    witness.check(lab.storedTo(vcpu, stores));
    await interrupt.pause();
  }
  // Who made all stores was just looked at whole: of the others the rest is looked at, too.
  if (runs.some(({ done }) => !done)) await checkMemory(lab, witness, interrupt);
  const states = options.states?.now(lab);
  const wanted = runs.filter(({ vcpu }) => vcpu === (options.vcpu ?? vcpu));
  const rings: DumpedRing[] = [];
  for (const run of wanted) {
    rings.push({
      ...run,
      kernelState: states?.[run.vcpu] ?? null,
      entries: readEntries(lab.tracker.rings[run.vcpu]!.ring.words, lab.plan.slots, options.all),
    });
    await interrupt.pause();
  }
  return {
    ...labResult("dirtyring.dump/1", lab),
    rings,
    lost: witness.lost,
    ok: witness.lost.count === 0,
    interrupted: interrupt.signal,
  };
}

/**
 * Reads the entries of a ring as objects, for printing.
 *
 * @param words The ring's memory.
 * @param slots The slots that entries may name.
 * @param all Include entries that are not dirty.
 * @returns The entries, in the order of the ring.
 */
export function readEntries(
  words: Uint32Array,
  slots: readonly Slot[],
  all: boolean,
): DumpedEntry[] {
  const entries: DumpedEntry[] = [];
  const next = (at: number) => all ? at : nextHeld(words, at);
  for (let at = next(0); at < words.length; at = next(at + ENTRY_WORDS)) {
    const flags = words[at + FLAGS]!;
    const state = entryState(flags);
    if (!all && state !== "dirty") continue;
    const slot = words[at + SLOT]!;
    const addressSpace = slot >>> 16;
    const id = slot & 0xffff;
    const offset = words[at + OFFSET + 1]! * 2 ** 32 + words[at + OFFSET]!;
    const found = slots.find((s) => s.id === id && s.addressSpace === addressSpace);
    entries.push({
      index: at / ENTRY_WORDS,
      flags,
      state,
      addressSpace,
      slot: id,
      offset: Number.isSafeInteger(offset)
        ? offset
        : `${(BigInt(words[at + OFFSET + 1]!) << 32n) | BigInt(words[at + OFFSET]!)}`,
      gfn: found !== undefined && offset < found.pages ? found.gfn + offset : null,
    });
  }
  return entries;
}
