import type { Kernel } from "../ffi/kernel.ts";
import { passesFor } from "../lab/blocks.ts";
import { Interrupt } from "../lab/interrupt.ts";
import type { Watched } from "../lab/kernel_log.ts";
import { live } from "../live/live.ts";
import type { LiveProgress, LiveResult } from "../live/live_result.ts";
import type { BackendSelection } from "../lab/backend.ts";
import { UsageError } from "../lab/usage_error.ts";
import { liveHeadText } from "../report/live_text.ts";
import { AFTER_FRAMES, liveFrames } from "../report/live_frames.ts";
import { liveLines } from "../report/live_lines.ts";
import type { Context } from "../cli/command.ts";
import { optionFlag } from "../cli/option.ts";
import { type LabRequest, makeLab } from "./lab_options.ts";
import { DURATION_MS, TIMEOUT_MS } from "./live.ts";
import { watchKernel } from "./watch_kernel.ts";

/** What a command line asks for. */
export interface LiveRequest extends BackendSelection, Omit<LabRequest, "rounds" | "passes"> {
  /** Whether entries are sorted in the ring. */
  readonly sort: boolean;
  /** Milliseconds to run. */
  readonly duration: number | undefined;
  /** Stores to make. */
  readonly stores: number | undefined;
  /** Milliseconds between two harvests. */
  readonly interval: number;
  /** Milliseconds that the stores may take. */
  readonly timeout: number | undefined;
  /** Whether tracepoints are to be counted. */
  readonly witness: boolean;
  /** How the result is written. */
  readonly format: "text" | "json" | "ndjson";
}

/** A vCPU's list is at least this long, so that it is seldom begun again: half a megabyte of slot 0. */
const LEAST_BLOCK = 1 << 16;
/** The most pages of the pattern, unless `--pages` says otherwise. */
const MOST_PAGES = 1 << 14;
const PAGE_BYTES = 4096;

/**
 * `dirtyring live`.
 *
 * @param request What the command line asks for.
 * @param context What it may use.
 * @returns What the run came to.
 * @throws {UsageError} Where options do not go together.
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
    ...{ pages, rounds: 1, passes: (stores) => passesFor(stores, vcpus, LEAST_BLOCK) },
  });
  using interrupt = new Interrupt();
  const options = {
    stores: stores ?? null,
    durationMs,
    intervalMs: interval,
    timeoutMs: timeout ?? TIMEOUT_MS,
    naming: optionFlag,
    sort: request.sort,
    witness: request.witness,
  };
  if (request.format === "text") {
    context.stream(liveHeadText(lab.kernel, lab.plan.options, options));
  }
  const watch = watcher(request, context, lab.plan.options.ring);
  const result = await live(lab, interrupt, watch === null ? options : { ...options, watch });
  if (request.format === "text" && context.terminal !== null) context.stream([AFTER_FRAMES]);
  if (result.error !== null) context.note(result.error);
  return result;
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

// Who is told of each harvest of all rings; null where nobody is.
function watcher(
  { format }: LiveRequest,
  context: Context,
  ring: number,
): ((progress: LiveProgress) => boolean) | null {
  switch (format) {
    case "json":
      return null;
    case "ndjson":
      return (progress) => context.stream([`${JSON.stringify(progress)}\n`]);
    case "text": {
      const { terminal } = context;
      const show = terminal === null ? liveLines(ring) : liveFrames(ring, terminal.columns);
      return (progress) => context.stream(show(progress));
    }
  }
}
