import type { Interrupt, InterruptSignal } from "../host/interrupt.ts";
import { type LabResult, labResult, type RingVm } from "../machine/guest_vm.ts";
import { vcpuBits } from "../machine/plan.ts";
import { takePlain, takeSorted } from "../machine/ring_tracker.ts";
import { checkMemory } from "../machine/touched_pages.ts";
import { type LostPages, type PageList, Witness } from "../memory/witness.ts";
import { type Rule, ruleOf } from "../ring/coalesce.ts";
import { RingStatistics, type Statistics } from "../ring/statistics.ts";
import { InlineDriver } from "./inline_driver.ts";
import {
  type Measured,
  measureReset,
  measureSort,
  SORT_NOT_MEASURED,
  type SortCost,
} from "./measure.ts";
import { type RoundResult, Rounds } from "./rounds.ts";

/** The coalescing statistics of one ring. */
export interface RingReport extends Statistics {
  /** The vCPU. */
  readonly vcpu: number;
}

/** Coalescing statistics of all rings, and what resets were measured to cost. */
export interface StatsReport {
  /** The kernel version whose rule counts the calls. */
  readonly rule: Rule;
  /** Batches, calls and ends are computed by the rule of `kvm_dirty_ring_reset`: the kernel tells none. */
  readonly modelled: true;
  /** The rings, by vCPU. */
  readonly rings: readonly RingReport[];
  /** All rings, summed. */
  readonly total: Statistics;
  /** What was measured. */
  readonly measured: Measured;
}

/** What every command with rounds finds out about its own honesty. */
export interface RoundsCheck {
  /** Pages that hold a store which no entry announced. */
  readonly lost: LostPages;
  /** Pages harvested without a new store: no failure. */
  readonly spurious: PageList;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether all held. */
  readonly ok: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** The rule that counts calls: a version, or the running kernel's. */
export type RuleChoice = Rule | "auto";

/** All rounds of a lab, with what they add up to. */
export interface Story extends RoundsCheck {
  /** The rounds, in order; none where they were not to be kept. */
  readonly rounds: readonly RoundResult[];
  /** The statistics of all rounds. */
  readonly stats: StatsReport;
  /** What sorting in the ring cost and saved; `null` where entries were not sorted. */
  readonly sort: SortCost | null;
}

/** `dirtyring stats`: the coalescing statistics of each ring and in total. */
export interface StatsResult extends LabResult, StatsReport, RoundsCheck {
  /** What it is. */
  readonly schema: "dirtyring.stats/1";
}

/** `dirtyring run`: the whole loop as a story in numbers. */
export interface RunResult extends LabResult, Story {
  /** What it is. */
  readonly schema: "dirtyring.run/1";
}

// What of a story is wanted.
interface StoryOptions {
  readonly rule: RuleChoice;
  // Whether each round's figures are wanted: without them memory stays flat.
  readonly keepRounds: boolean;
  // Whether entries are sorted in the ring before they are marked.
  readonly sort: boolean;
}

/**
 * Runs the rounds of a lab and answers the coalescing statistics.
 *
 * @param interrupt Ends it early; what was gathered is answered.
 * @param rule The rule that counts calls.
 * @returns The statistics.
 */
export async function stats(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
): Promise<StatsResult> {
  const options = { rule, keepRounds: false, sort: false };
  const { rounds: _rounds, sort: _sort, stats, ...check } = await tell(lab, interrupt, options);
  return { ...labResult("dirtyring.stats/1", lab), ...stats, ...check };
}

/**
 * Runs the rounds of a lab and answers each one's figures, the check of its memory, and the statistics.
 *
 * @param interrupt Ends it early; what was gathered is answered.
 * @param rule The rule that counts calls.
 * @param sort Whether entries are sorted in the ring before they are marked.
 * @returns The story of the run.
 */
export async function run(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
  sort = false,
): Promise<RunResult> {
  const story = await tell(lab, interrupt, { rule, keepRounds: true, sort });
  return { ...labResult("dirtyring.run/1", lab), ...story };
}

// Runs the rounds of a VM: what `stats` and `run` have in common.
async function tell(
  lab: RingVm,
  interrupt: Interrupt,
  options: StoryOptions,
): Promise<Story> {
  const driver = new InlineDriver(interrupt);
  const witness = new Witness(lab.memory, lab.pages, vcpuBits(lab.vcpus.length));
  const statistics = lab.vcpus.map(() => new RingStatistics());
  const rounds = new Rounds(
    lab,
    driver,
    { statistics, witness, interrupt },
    options.sort ? takeSorted : takePlain,
  );
  const done: RoundResult[] = [];
  for (let n = 0; n < lab.plan.options.rounds; n++) {
    const round = await rounds.round();
    if (options.keepRounds) done.push(round);
    await interrupt.pause();
    if (rounds.state !== "going" || interrupt.signal !== null) break;
  }
  // What the pattern names was checked round by round.
  await checkMemory(lab, witness, interrupt);
  const problems = [...rounds.problems];
  if (witness.strays > 0) problems.push(`${witness.strays} entries name no logged page`);

  const total = new RingStatistics();
  for (const ring of statistics) total.addAll(ring);
  const rule = options.rule === "auto" ? ruleOf(lab.kernel.release) : options.rule;
  const canGoOn = () => rounds.state === "going" && interrupt.signal === null;
  // Sorting first: the witness has then seen every store so far.
  const sort = !options.sort
    ? null
    : canGoOn()
    ? await measureSort(lab, driver, interrupt, problems, witness)
    : SORT_NOT_MEASURED;
  const measured = canGoOn() ? await measureReset(lab, driver, interrupt, problems) : NOT_MEASURED;
  return {
    rounds: done,
    stats: {
      rule,
      modelled: true,
      rings: statistics.map((ring, vcpu) => ({ vcpu, ...ring.result(rule) })),
      total: total.result(rule),
      measured,
    },
    sort,
    lost: witness.lost,
    spurious: witness.spurious,
    problems,
    ok: problems.length === 0 && witness.lost.count === 0,
    interrupted: interrupt.signal,
  };
}

const NOT_MEASURED: Measured = {
  repetitions: 0,
  resetNsPerEntry: null,
  sequentialResetNsPerEntry: null,
  emulated: false,
};
