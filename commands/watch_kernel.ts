import type { Kernel } from "../ffi/kernel.ts";
import { KernelLog, type KernelLogResult, type Watched } from "../host/kernel_log.ts";
import { lostLogText, reportLines } from "../report/notes.ts";

/** The part of a result that says whether all checks held. */
export interface Judged {
  /** Whether all checks held. */
  readonly ok: boolean;
  /** What did not hold, in words, if the result lists problems. */
  readonly problems?: readonly string[];
}

/**
 * Runs some work and watches the kernel's log meanwhile. If the kernel reports a problem of its
 * own, the result is not ok, whatever the work found. The first lines of each report go to stderr,
 * even if the work throws.
 *
 * @param note Prints a note on stderr.
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
