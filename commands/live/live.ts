import type { Context, Outlet } from "../../cli/context.ts";
import { optionFlag } from "../../cli/option.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { HandOver } from "../../drive/hand_over.ts";
import { type LiveVcpus, quotas } from "../../drive/live_vcpus.ts";
import { Reaper } from "../../drive/reaper.ts";
import { startVcpus } from "../../drive/start_vcpus.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { nanoseconds } from "../../ffi/linux.ts";
import type { BackendSelection } from "../../host/backend.ts";
import { UsageError } from "../../host/errors.ts";
import type { Interrupt, InterruptWatch } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { labResult, type RingVm } from "../../machine/guest_vm.ts";
import { passesFor, vcpuBits } from "../../machine/plan.ts";
import { Witness } from "../../memory/witness.ts";
import type { Distribution } from "../../ring/distribution.ts";
import { type LabRequest, makeLab } from "../lab_options.ts";
import { watchKernel } from "../watch_kernel.ts";
import { CLOCKED, DURATION_MS, TIMEOUT_MS } from "./command.ts";
import { AFTER_FRAMES, liveFrames, liveLines } from "./live_progress.ts";
import type { LiveOrder, LiveProgress, LiveResult, Times } from "./live_result.ts";
import { type LiveOptions, LiveRun } from "./live_run.ts";
import { liveHeadText } from "./live_text.ts";
import type { TraceWitness, WitnessResult } from "./tracepoint_witness.ts";

/** What a command line asks for. */
export interface LiveRequest extends BackendSelection, Omit<LabRequest, "rounds" | "passes"> {
  /** Whether entries are sorted in the ring. */
  readonly sort: boolean;
  /** How long to run, in milliseconds. */
  readonly duration: number | undefined;
  /** How many stores to make. */
  readonly stores: number | undefined;
  /** Milliseconds between two harvests of all rings. */
  readonly interval: number;
  /** Milliseconds that the stores may take. */
  readonly timeout: number | undefined;
  /** Whether to compare with the kernel's tracepoints. */
  readonly witness: boolean;
}

/** The least length of a vCPU's list, so that the vCPU seldom starts over: half a MiB of slot 0. */
const LEAST_BLOCK = 1 << 16;
/** The most pages of the pattern, unless `--pages` is given. */
const MOST_PAGES = 1 << 14;
const PAGE_BYTES = 4096;

/**
 * Runs `dirtyring live`.
 *
 * @throws {UsageError} If options contradict each other.
 */
export async function runLive(
  request: LiveRequest,
  context: Context,
): Promise<Watched<LiveResult>> {
  refuse(request);
  const kernel = await context.openKernel(request);
  return await watchKernel(kernel, context.note, () => runWatched(kernel, request, context));
}

async function runWatched(
  kernel: Kernel,
  request: LiveRequest,
  context: Context,
): Promise<LiveResult> {
  const { memory, pattern, vcpus, stores, interval, timeout } = request;
  const pages = request.pages ??
    (pattern.name === "file" ? undefined : Math.min(memory / PAGE_BYTES, MOST_PAGES));
  const durationMs = request.duration ?? (stores === undefined ? DURATION_MS : null);
  using lab = await makeLab(kernel, {
    ...request,
    pages,
    rounds: 1,
    passes: (stores) => passesFor(stores, vcpus, LEAST_BLOCK),
  });
  using interrupt = await context.listen();
  const options = {
    stores: stores ?? null,
    durationMs,
    intervalMs: interval,
    timeoutMs: timeout ?? TIMEOUT_MS,
    naming: optionFlag,
    sort: request.sort,
    witness: request.witness,
  };
  const watchers: ((progress: LiveProgress) => boolean)[] = [];
  for (const outlet of context.outlets) {
    watchers.push(await watcherOf(outlet, lab.plan.options.ring, context));
    const { format, page, stream } = outlet;
    if (format === "text") stream(liveHeadText(lab.kernel, lab.plan.options, options, page));
  }
  const watch = (progress: LiveProgress) => watchers.every((one) => one(progress));
  // What streams to the terminal is progress enough.
  const isSeen = context.outlets.some(({ format, path }) =>
    path === "-" && format !== "json" && context.terminal !== null
  );
  const seen = isSeen ? withoutProgress(interrupt) : interrupt;
  const result = await live(lab, seen, { ...options, watch });
  for (const outlet of context.outlets) {
    if (frameTerminal(outlet, context) !== null) outlet.stream([AFTER_FRAMES]);
  }
  if (result.error !== null) context.note(result.error);
  return result;
}

function withoutProgress(interrupt: Interrupt): InterruptWatch {
  return {
    get signal() {
      return interrupt.signal;
    },
    get isDue() {
      return interrupt.isDue;
    },
    pause: (now) => interrupt.pause(now),
  };
}

function refuse(request: LiveRequest): void {
  if (request.timeout !== undefined && request.stores === undefined) {
    throw new UsageError(
      "--timeout: goes with --stores, which it limits; expected --duration alone",
    );
  }
  if (request.duration !== undefined && request.stores !== undefined) {
    throw new UsageError(
      `--stores ${request.stores}: does not go with --duration; expected one of the two`,
    );
  }
}

// The terminal on which progress is drawn in place; null where it is not.
function frameTerminal({ format, page }: Outlet, { terminal }: Context): Terminal | null {
  const isText = format === "text" && !page.quiet && page.columns !== null;
  return isText && terminal?.isDumb === false ? terminal : null;
}

// What is to be called after each harvest of all rings.
async function watcherOf(
  outlet: Outlet,
  ring: number,
  context: Context,
): Promise<(progress: LiveProgress) => boolean> {
  const { format, page, stream } = outlet;
  switch (format) {
    case "ndjson": {
      const { recorded } = await import("../../report/record.ts");
      return (progress) => stream([`${JSON.stringify(recorded(progress, page, CLOCKED))}\n`]);
    }
    case "text": {
      if (page.quiet) return () => true;
      const terminal = frameTerminal(outlet, context);
      const show = terminal === null ? liveLines(ring, page) : liveFrames(ring, terminal, page);
      return (progress) => stream(show(progress));
    }
    default:
      return () => true;
  }
}

/**
 * Runs a lab's vCPUs while their rings are harvested, as a VMM that migrates or checkpoints does,
 * and checks memory to prove that nothing was lost. Once a second, and at the end, all vCPUs stop,
 * all rings are harvested, and each page must hold what was last read of it.
 *
 * @param lab The lab, fresh: its counters begin with this run.
 * @param interrupt Ends the run early; the result then covers what was gathered.
 * @returns The result, even if a vCPU failed on the way: see its `error`.
 * @throws {HostError} If vCPUs cannot be started, or the kernel's tracepoints cannot be used.
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

// The memory through which vCPU threads hand over rings that they emptied themselves; null if they
// must not do that, or if there are none, as on the model. A thread does not sort, and a witness
// counts only the resets of the calling thread.
function handOversOf(lab: RingVm, options: LiveOptions): readonly HandOver[] | null {
  const { sort = false, witness = false, reaper } = options;
  if (lab.vm.kernel.insight !== null || sort || witness || reaper !== undefined) return null;
  return lab.tracker.rings.map(({ ring }) => new HandOver(ring.entries));
}

function ringsOf(lab: RingVm, handOvers: readonly HandOver[]) {
  return lab.tracker.rings.map(({ ring }, id) => ({ ring, handOver: handOvers[id]! }));
}

// Loaded on demand: few runs use it.
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
    samples: {
      harvestNsPerEntry: reaper.harvestNsPerEntry.values,
      resetNsPerEntry: reaper.resetNsPerEntry.values,
      fullStopNs: reaper.servedSamples.values,
      entriesPerSecond: run.entriesPerSecond.values,
    },
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
