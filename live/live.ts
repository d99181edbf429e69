import { nanoseconds } from "../ffi/nanoseconds.ts";
import type { Distribution } from "../ring/distribution.ts";
import { Witness } from "../ring/witness.ts";
import type { InterruptWatch } from "../lab/interrupt.ts";
import type { RingVm } from "../lab/guest_vm.ts";
import { HandOver } from "./hand_over.ts";
import { type LiveOptions, LiveRun } from "./live_run.ts";
import type { LiveOrder, LiveResult, Times } from "./live_result.ts";
import type { LiveVcpus } from "./live_vcpus.ts";
import { vcpuBits } from "../lab/plan.ts";
import { quotas } from "./quotas.ts";
import { Reaper } from "./reaper.ts";
import { labResult } from "../lab/result.ts";
import { startVcpus } from "./start_vcpus.ts";
import type { TraceWitness, WitnessResult } from "./tracepoint_witness.ts";

/**
 * Runs a lab's vCPUs beside the harvester, as a VMM that migrates or checkpoints does, and lets memory prove that
 * nothing was lost: once a second, and at the end, all vCPUs stand still, all rings are harvested, and what was
 * last read of each page must be what it holds.
 *
 * @param lab The lab, fresh: its counters begin with this run.
 * @param interrupt Ends it early; what was gathered is answered.
 * @param options How it goes.
 * @returns What it came to, also where a vCPU failed meanwhile: `error` says how.
 * @throws {HostError} Where vCPUs cannot be started, or the kernel does not let itself be witnessed.
 */
export async function live(
  lab: RingVm,
  interrupt: InterruptWatch,
  options: LiveOptions,
): Promise<LiveResult> {
  const witness = new Witness(lab.memory, lab.pages, vcpuBits(lab.vcpus.length));
  const reaper = options.reaper?.(lab, witness) ??
    new Reaper(lab, witness, { sort: options.sort ?? false });
  const { thread } = options;
  const handOvers = handOversOf(lab, options);
  await using vcpus = await startVcpus(lab, {
    quotas: quotas(lab.vcpus, options.stores),
    ...(handOvers === null ? {} : { rings: ringsOf(lab, handOvers) }),
    ...(thread === undefined ? {} : { thread }),
  });
  reaper.attach(vcpus, handOvers);
  using traced = options.witness === true ? await openTraceWitness(lab, vcpus) : null;
  lab.tracker.warm();
  const run = new LiveRun({ lab, vcpus, reaper, witness, interrupt, options });
  await run.toEnd();
  const witnessed = traced === null ? null : run.attempt(() =>
    traced.result({
      entries: reaper.rings.map(({ entries }) => entries),
      fullExits: lab.vcpus.map((_, id) => run.fullExitsOf(id)),
      resets: reaper.resetNs.count,
    })
  );
  return resultOf({ lab, vcpus, reaper, witness, run, interrupt, options, witnessed });
}

// A thread empties its ring plainly, and its resets are not those that a witness counts on the calling thread.
function handOversOf(lab: RingVm, options: LiveOptions): readonly HandOver[] | null {
  const { sort = false, witness = false, reaper } = options;
  if (lab.vm.kernel.insight !== null || sort || witness || reaper !== undefined) return null;
  return lab.tracker.rings.map(({ ring }) => new HandOver(ring.entries));
}

function ringsOf(lab: RingVm, handOvers: readonly HandOver[]) {
  return lab.tracker.rings.map(({ ring }, id) => ({ ring, handOver: handOvers[id]! }));
}

// Loaded when it is asked for: few runs do.
async function openTraceWitness(lab: RingVm, { tids }: LiveVcpus): Promise<TraceWitness> {
  const { TraceWitness } = await import("./tracepoint_witness.ts");
  return TraceWitness.open(lab.vm, lab.vcpus.map(({ vcpu }, id) => ({ vcpu, tid: tids[id]! })));
}

interface Outcome {
  readonly lab: RingVm;
  readonly vcpus: LiveVcpus;
  readonly reaper: Reaper;
  readonly witness: Witness;
  readonly run: LiveRun;
  readonly interrupt: InterruptWatch;
  readonly options: LiveOptions;
  readonly witnessed: WitnessResult | null;
}

function resultOf(outcome: Outcome): LiveResult {
  const { lab, vcpus, reaper, witness, run, interrupt, options, witnessed } = outcome;
  const problems = [...reaper.problems.list, ...(witnessed?.problems ?? [])];
  return {
    ...labResult("dirtyring.live/1", lab),
    elapsedNs: run.elapsedNs,
    asked: {
      stores: options.stores,
      durationNs: options.durationMs === null ? null : nanoseconds(options.durationMs),
    },
    intervalNs: nanoseconds(options.intervalMs),
    sorted: options.sort ?? false,
    vcpus: reaper.rings.map(({ entries, occupancy, pages }, vcpu) => {
      const { count: _count, ...found } = occupancy.quantiles();
      return {
        vcpu,
        stores: run.storesOf(vcpu),
        entries,
        uniquePages: pages.count,
        fullExits: run.fullExitsOf(vcpu),
        stoppedNs: vcpus.fullStops(vcpu).totalNs,
        occupancy: found,
      };
    }),
    fullStop: timesOf(reaper.servedNs),
    harvest: timesOf(reaper.harvestNs),
    reset: timesOf(reaper.resetNs),
    resetEntries: reaper.resetEntries,
    audits: run.audits,
    auditedPages: run.auditedPages,
    order: orderOf(reaper),
    lost: witness.lost,
    spurious: witness.spurious,
    duplicates: witness.duplicates,
    witness: witnessed,
    problems,
    ok: problems.length === 0 && witness.lost.count === 0,
    error: run.error,
    interrupted: interrupt.signal,
    closed: run.isClosed,
  };
}

function orderOf({ orders }: Reaper): LiveOrder | null {
  if (orders === null) return null;
  const sum = (field: "compared" | "repeated" | "missing" | "strange") =>
    orders.reduce((all, order) => all + order[field], 0);
  return {
    entries: sum("compared"),
    repeated: sum("repeated"),
    missing: sum("missing"),
    strange: sum("strange"),
  };
}

function timesOf(times: Distribution): Times {
  const { count, p50, p99, max } = times.quantiles();
  return { count, p50Ns: p50, p99Ns: p99, maxNs: max };
}
