// A process that runs cases, one after another. For each it prints two JSON lines on standard
// output, one when it begins and one with its outcome. The parent kills the process if a case takes
// too long.
import { FORMATS, schedule } from "./formats.ts";
import type { Format } from "./hostile_case.ts";
import { documentedStatuses, judge } from "./judge.ts";
import { peakOf, runCase } from "./run_case.ts";

/** The only argument of a child, in JSON. */
export interface Errand {
  /** The names of the formats. */
  readonly formats: readonly string[];
  /** The seed of all cases. */
  readonly seed: number;
  /**
   * The first index in the schedule, the distance to the next, and the end; 0 is for preparation.
   */
  readonly from: number;
  readonly step: number;
  readonly end: number;
  /** A folder of its own. */
  readonly folder: string;
  /** The folder of the formats' shared material; the child makes that material if `end` is 0. */
  readonly shared: string;
  /** Whether the folders of cases are kept. */
  readonly keep: boolean;
}

/** A line that a child prints. */
export type Told =
  | { readonly kind: "begin"; readonly at: number }
  | {
    readonly kind: "end";
    readonly at: number;
    readonly args: readonly string[];
    readonly status: number;
    readonly ms: number;
    readonly peakBytes: number | null;
    readonly faults: readonly { readonly kind: string; readonly detail: string }[];
    /** Stdout and stderr of the case, if the case's folder is kept. */
    readonly printed: readonly string[] | null;
  };

/**
 * A process that has more memory than this ends, so that its memory does not count for the next
 * case.
 */
const RETIRES_AT = 200 * 2 ** 20;

async function serve(errand: Errand): Promise<void> {
  const { seed, from, step, end, folder, keep } = errand;
  const formats = FORMATS.filter(({ name }) => errand.formats.includes(name));
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const documented = documentedStatuses(readme);
  const write = Deno.stdout.writeSync.bind(Deno.stdout);
  const tell = (told: Told) => {
    let bytes = new TextEncoder().encode(`${JSON.stringify(told)}\n`);
    while (bytes.length > 0) bytes = bytes.subarray(write(bytes));
  };
  // A promise that is rejected without a handler would end a real program with a stack.
  const unheard: string[] = [];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unheard.push(`${event.reason instanceof Error ? event.reason.stack : event.reason}`);
  });
  if (end === 0) return await prepare(formats, errand.shared);
  const caseAt = schedule(formats);
  for (let at = from; at < end; at += step) {
    const name = caseAt(at);
    if (name === null) return;
    const format = formats.find((one) => one.name === name.format)!; // the schedule is of these
    const shared = `${errand.shared}/${format.name}`;
    tell({ kind: "begin", at });
    const outcome = await runCase(format, name, seed, { folder: `${folder}/case`, shared, keep });
    await new Promise((resolve) => setTimeout(resolve, 0)); // let unhandled rejections arrive
    const { args, status, ms, peakBytes, stdout, stderr } = outcome;
    const faults = [
      ...judge(outcome, documented),
      ...unheard.splice(0).map((detail) => ({ kind: "crash", detail: `nobody caught: ${detail}` })),
    ];
    const printed = keep ? [stdout, stderr] : null;
    tell({ kind: "end", at, args, status, ms, peakBytes, faults, printed });
    if (isLarge()) (globalThis as { gc?: () => void }).gc?.();
    if (isLarge()) return;
  }
}

// Whether the process has too much memory, because of garbage or of a leak.
function isLarge(): boolean {
  return (peakOf("VmRSS") ?? 0) > RETIRES_AT;
}

async function prepare(formats: readonly Format[], shared: string): Promise<void> {
  for (const format of formats) {
    const folder = `${shared}/${format.name}`;
    await Deno.mkdir(folder);
    await format.prepare?.(folder);
  }
}

if (import.meta.main) {
  try {
    await serve(JSON.parse(Deno.args[0]!)); // written by pool.ts as an Errand
    Deno.exit(0);
  } catch (error) {
    console.error(error);
    Deno.exit(1);
  }
}
