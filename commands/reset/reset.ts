import { type InlineDriver, runOnce, type VcpuRun } from "../../drive/inline_driver.ts";
import { measureSort, SORT_NOT_MEASURED, type SortCost } from "../../drive/measure.ts";
import { copyEntries, type DonePass, type ResetPass, resetPass } from "../../drive/reset_pass.ts";
import { ValueError } from "../../host/errors.ts";
import { type Interrupt, type InterruptSignal, NOT_WATCHED } from "../../host/interrupt.ts";
import { type LabResult, labResult, type RingVm } from "../../machine/guest_vm.ts";
import type { KernelStates } from "../../machine/kernel_state.ts";
import { vcpuBits } from "../../machine/plan.ts";
import { checkMemory } from "../../machine/touched_pages.ts";
import { type LostPages, Witness } from "../../memory/witness.ts";
import { ENTRY_WORDS } from "../../ring/entry.ts";

/** The result of `dirtyring reset`: one round, harvested and reset. */
export interface ResetResult extends LabResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.reset/1";
  /** How each vCPU stopped. */
  readonly vcpus: readonly VcpuRun[];
  /** One pass, or two if the first left entries behind on purpose. */
  readonly passes: readonly ResetPass[];
  /** What sorting in the ring cost and saved; `null` if entries were not sorted. */
  readonly sort: SortCost | null;
  /** Pages that hold a store but were in no harvested entry. */
  readonly lost: LostPages;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether everything held. */
  readonly ok: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** What the first pass leaves behind, and what else is wanted. */
export interface ResetOptions {
  /** Harvest only this many entries of each ring. */
  readonly harvestFirst: number | undefined;
  /** Leave this entry of each ring unharvested, and harvest the others. */
  readonly gap: number | undefined;
  /**
   * Sort all entries in the ring before they are marked, and measure that. Nothing is left behind.
   */
  readonly sort?: boolean;
  /** Whether it is measured what sorting costs and saves; unless told it is. */
  readonly isTimed?: boolean;
  /** Reads the kernel's own state of each ring; the state is left out without it. */
  readonly states?: KernelStates | null;
  /** Ends it early; the result then covers what was gathered. */
  readonly interrupt?: Interrupt;
}

/**
 * Runs one round, harvests and resets: all at once, or in two passes of which the first leaves
 * entries behind (`harvest.in-order`, `harvest.gap-stops`, `harvest.gap-filled`).
 *
 * @throws {UsageError} If a ring holds no entry at the gap.
 * @throws {HostError} If the kernel's own state is wanted and cannot be read.
 */
export async function reset(
  lab: RingVm,
  driver: InlineDriver,
  options: ResetOptions,
): Promise<ResetResult> {
  const { harvestFirst, gap, sort = false, isTimed = true, states = null } = options;
  const { interrupt = null } = options;
  const vcpus = await runOnce(lab, driver, interrupt?.progress);
  const isCutShort = (interrupt?.signal ?? null) !== null;
  if (!isCutShort) checkGap(gap, lab.tracker.rings.map(({ harvester }) => harvester.held));
  const watched = interrupt ?? NOT_WATCHED;
  const witness = new Witness(lab.memory, lab.pages, vcpuBits(lab.vcpus.length));
  await watched.pause();
  const problems: string[] = [];

  const passes: DonePass[] = [];
  passes.push(resetPass(lab, problems, states, (harvester) => {
    if (sort) return harvester.takeSorted();
    if (gap === undefined || isCutShort) return harvester.take(harvestFirst);
    const taken = copyEntries(harvester.take(gap), harvester.size);
    harvester.skip(1);
    const behind = harvester.take();
    taken.words.set(behind.words.subarray(0, behind.length * ENTRY_WORDS), gap * ENTRY_WORDS);
    taken.length += behind.length;
    return taken;
  }));
  if (!isCutShort && (gap !== undefined || harvestFirst !== undefined)) {
    passes.push(resetPass(lab, problems, states, (harvester) => {
      if (gap === undefined) return harvester.take();
      harvester.seek(gap);
      return harvester.take(1);
    }));
  }
  await watched.pause();
  for (const entries of passes.flatMap((done) => done.entries)) {
    witness.read(entries);
    await watched.pause();
  }
  for (const { vcpu, stores } of vcpus) {
    witness.check(lab.storedTo(vcpu, stores));
    await watched.pause();
  }
  // Who made all stores was just looked at whole: of the others the rest is looked at, too.
  if (vcpus.some(({ done }) => !done)) await checkMemory(lab, witness, watched);
  const [first] = passes;
  const canGoOn = first!.shown.rings.every(({ left }) => left === 0);
  // A ring that is wedged by an overflow cannot take another round: nothing is measured then.
  const cost = !sort
    ? null
    : canGoOn
    ? await measureSort(lab, driver, interrupt, problems, witness, isTimed)
    : SORT_NOT_MEASURED;

  return {
    ...labResult("dirtyring.reset/1", lab),
    vcpus,
    passes: passes.map(({ shown }) => shown),
    sort: cost,
    lost: witness.lost,
    problems,
    ok: problems.length === 0 && witness.lost.count === 0,
    interrupted: interrupt?.signal ?? null,
  };
}

function checkGap(gap: number | undefined, held: readonly number[]): void {
  if (gap === undefined) return;
  const vcpu = held.findIndex((entries) => gap >= entries);
  if (vcpu === -1) return;
  const entries = held[vcpu]!;
  throw new ValueError(
    { gap },
    (name) =>
      `${name("gap")} ${gap}: vCPU ${vcpu}'s ring holds ` +
      (entries === 0
        ? `no entry; expected a store for every vCPU, with ${name("pages")}`
        : `${entries} entries; expected 0 to ${entries - 1}, or more stores with ${name("pages")}`),
    entries === 0 ? null : { least: 0, most: entries - 1 },
  );
}
