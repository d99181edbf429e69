// A process that runs cases, one after another, and tells of each on standard output, a JSON object a line: the place at
// which it begins, and what it came to. Who started it ends it where a case takes too long.
import { FORMATS, schedule } from "./formats.ts";
import type { Format } from "./hostile_case.ts";
import { documentedStatuses, judge } from "./judge.ts";
import { peakOf, runCase } from "./run_case.ts";

/** What a child is told, as its only argument in JSON. */
export interface Errand {
  /** The formats. */
  readonly formats: readonly string[];
  /** The seed. */
  readonly seed: number;
  /** The first place of the schedule, how far the next is, and where it ends. */
  readonly from: number;
  readonly step: number;
  readonly end: number;
  /** A folder of its own. */
  readonly folder: string;
  /** Where each format has made what its cases are made of; with no case to run, that is to be made. */
  readonly shared: string;
  /** Whether the folders of cases are kept. */
  readonly keep: boolean;
}

/** What a child tells. */
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
    /** What was printed, where one case alone was asked for. */
    readonly printed: readonly string[] | null;
  };

/** With more memory than this a process makes room for a new one: what it then needs for a case would not be the case's. */
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
  // What nobody waits for ends a program of its own with a stack.
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
    await new Promise((resolve) => setTimeout(resolve, 0)); // for what nobody waits for
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

// With the garbage of earlier cases, or with what they have left for good.
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
