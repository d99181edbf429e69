import type { Kernel } from "../ffi/kernel.ts";
import { KernelLog, type KernelLogResult, type Watched } from "../host/kernel_log.ts";
import { lostLogText, reportLines } from "../report/notes.ts";

/** What a result tells of whether all held. */
export interface Judged {
  /** Whether it did. */
  readonly ok: boolean;
  /** What did not, in words, where the result has room for that. */
  readonly problems?: readonly string[];
}

/**
 * Does something, and looks at the kernel's log meanwhile: where the kernel reports a problem of its own, not all held,
 * whatever the result says. The first lines of each report are said on stderr, also where the work throws.
 *
 * @param note Says something on stderr.
 * @param work Does it, and gives back what it took.
 * @returns The result, with what the kernel reported.
 */
export async function watchKernel<Result extends Judged>(
  kernel: Kernel,
  note: (text: string) => void,
  work: () => Promise<Result>,
): Promise<Watched<Result>> {
  using log = new KernelLog(kernel);
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    takeReports(log, note);
    throw error;
  }
  const kernelLog = takeReports(log, note);
  const found = (kernelLog?.reports ?? []).map(([first = ""]) => first);
  const problems = reportLines([found]).map((line) => `the kernel reported: ${line}`);
  return {
    ...result,
    ...(result.problems === undefined ? {} : { problems: [...result.problems, ...problems] }),
    ok: result.ok && problems.length === 0,
    kernelLog,
  };
}

function takeReports(log: KernelLog, note: (text: string) => void): KernelLogResult | null {
  const reports = log.take().map(({ lines }) => lines);
  for (const lines of reports) {
    const [first, ...more] = reportLines([lines]);
    note(`the kernel reported: ${first}`);
    for (const line of more) note(`  ${line}`);
  }
  const { facts } = log;
  const lost = lostLogText(facts);
  if (lost !== null) note(lost);
  return facts === null ? null : { ...facts, reports };
}
