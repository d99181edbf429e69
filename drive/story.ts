// What `dirtyring stats` and `dirtyring run` do: all rounds of a lab, their checks and their
// statistics.
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
  NOT_MEASURED,
  SORT_NOT_MEASURED,
  type SortCost,
} from "./measure.ts";
import { NamedPages, type RoundResult, Rounds } from "./rounds.ts";

/** Coalescing statistics, and the pages that the entries name. */
export interface PagesReport extends Statistics {
  /** Distinct pages that the entries of the whole run name, however many windows name them. */
  readonly distinctPages: number;
}

/** The coalescing statistics of one ring. */
export interface RingReport extends PagesReport {
  /** The vCPU. */
  readonly vcpu: number;
}

/** Coalescing statistics of all rings, and the measured cost of resets. */
export interface StatsReport {
  /** The kernel version by whose rule the calls are counted. */
  readonly rule: Rule;
  /**
   * Batches, calls and ends are computed by the rule of `kvm_dirty_ring_reset`, since the kernel
   * does not report them.
   */
  readonly modelled: true;
  /** The rings, by vCPU. */
  readonly rings: readonly RingReport[];
  /** All rings, summed. */
  readonly total: PagesReport;
  /** What was measured. */
  readonly measured: Measured;
}

/** The self-checks of every command with rounds. */
export interface RoundsCheck {
  /** Pages that hold a store for which no entry was harvested. */
  readonly lost: LostPages;
  /** Pages harvested without a new store. They are not a failure. */
  readonly spurious: PageList;
  /** The checks that failed. */
  readonly problems: readonly string[];
  /** Whether no check failed and no store was lost. */
  readonly ok: boolean;
  /** The signal that ended the run early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** The rule by which calls are counted: that of a version, or that of the running kernel. */
export type RuleChoice = Rule | "auto";

/** All rounds of a lab, with their checks and statistics. */
export interface Story extends RoundsCheck {
  /** The rounds, in order; empty if they were not kept. */
  readonly rounds: readonly RoundResult[];
  /** The statistics of all rounds. */
  readonly stats: StatsReport;
  /** What sorting in the ring cost and saved; `null` if entries were not sorted. */
  readonly sort: SortCost | null;
}

/** `dirtyring stats`: the coalescing statistics of each ring and in total. */
export interface StatsResult extends LabResult, StatsReport, RoundsCheck {
  /** The name and version of its schema. */
  readonly schema: "dirtyring.stats/1";
}

/** `dirtyring run`: the whole loop in numbers. */
export interface RunResult extends LabResult, Story {
  /** The name and version of its schema. */
  readonly schema: "dirtyring.run/1";
}

// Options of a story.
interface StoryOptions {
  readonly rule: RuleChoice;
  // Whether each round's figures are kept. Without them the use of memory does not grow with the
  // rounds.
  readonly keepRounds: boolean;
  // Whether entries are sorted in the ring before they are marked as harvested.
  readonly sort: boolean;
  // Whether it is measured what resets, and sorting, cost.
  readonly isTimed: boolean;
}

/**
 * Runs the rounds of a lab and returns the coalescing statistics.
 *
 * @param interrupt Ends the run early; the results so far are returned.
 * @param rule The rule by which calls are counted.
 * @param isTimed Whether it is measured what a reset costs.
 */
export async function stats(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
  isTimed = true,
): Promise<StatsResult> {
  const options = { rule, keepRounds: false, sort: false, isTimed };
  const { rounds: _rounds, sort: _sort, stats, ...check } = await tell(lab, interrupt, options);
  return { ...labResult("dirtyring.stats/1", lab), ...stats, ...check };
}

/**
 * Runs the rounds of a lab and returns the figures of each, the check of its memory, and the
 * statistics.
 *
 * @param interrupt Ends the run early; the results so far are returned.
 * @param rule The rule by which calls are counted.
 * @param sort Whether entries are sorted in the ring before they are marked as harvested.
 * @param isTimed Whether it is measured what a reset, and sorting, cost.
 */
export async function run(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
  sort = false,
  isTimed = true,
): Promise<RunResult> {
  const story = await tell(lab, interrupt, { rule, keepRounds: true, sort, isTimed });
  return { ...labResult("dirtyring.run/1", lab), ...story };
}

// Runs the rounds of a VM: the common part of `stats` and `run`.
async function tell(
  lab: RingVm,
  interrupt: Interrupt,
  options: StoryOptions,
): Promise<Story> {
  const { isTimed } = options;
  const driver = new InlineDriver(interrupt);
  const witness = new Witness(lab.memory, lab.pages, vcpuBits(lab.vcpus.length));
  const statistics = lab.vcpus.map(() => new RingStatistics());
  const named = new NamedPages(lab.pages, lab.vcpus.length);
  const rounds = new Rounds(
    lab,
    driver,
    { statistics, named, witness, interrupt },
    options.sort ? takeSorted : takePlain,
  );
  const done: RoundResult[] = [];
  await runAll(lab, rounds, interrupt, (round) => options.keepRounds && done.push(round));
  // Each round checked the pages of the pattern; this checks the rest.
  await checkMemory(lab, witness, interrupt);
  const problems = [...rounds.problems];
  if (witness.strays > 0) problems.push(`${witness.strays} entries name no logged page`);

  const total = new RingStatistics();
  for (const ring of statistics) total.addAll(ring);
  const rule = options.rule === "auto" ? ruleOf(lab.kernel.release) : options.rule;
  const canGoOn = () => rounds.state === "going" && interrupt.signal === null;
  // Sorting is measured first, since the witness has then seen every store so far.
  const sort = !options.sort
    ? null
    : canGoOn()
    ? await measureSort(lab, driver, interrupt, problems, witness, isTimed)
    : SORT_NOT_MEASURED;
  const measured = canGoOn()
    ? await measureReset(lab, driver, interrupt, problems, isTimed)
    : NOT_MEASURED;
  return {
    rounds: done,
    stats: {
      rule,
      modelled: true,
      rings: statistics.map((ring, vcpu) => ({
        vcpu,
        distinctPages: named.rings[vcpu]!.count,
        ...ring.result(rule),
      })),
      total: { distinctPages: named.all.count, ...total.result(rule) },
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

async function runAll(
  lab: RingVm,
  rounds: Rounds,
  interrupt: Interrupt,
  keep: (round: RoundResult) => void,
): Promise<void> {
  const { rounds: most, pages } = lab.plan.options;
  let before = 0;
  using _step = interrupt.progress.begin({
    what: most === 1 ? "running a round" : `running ${most} rounds`,
    total: most * pages,
    done: () => before + rounds.storesSoFar(),
  });
  for (let n = 0; n < most; n++) {
    before = n * pages;
    keep(await rounds.round());
    await interrupt.pause();
    if (rounds.state !== "going" || interrupt.signal !== null) break;
  }
}
