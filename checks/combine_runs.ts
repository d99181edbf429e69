import type { CheckRun, CheckStatus } from "./check_result.ts";

/** Reports of the kernel that are kept of all runs. */
const MOST_REPORTS = 8;

const WORDS: Readonly<Record<CheckStatus, string>> = {
  fail: "failed",
  timeout: "out of time",
  known: "observed",
  pass: "passed",
  skip: "skipped",
};

/**
 * What several runs of a check come to: failed if one failed, otherwise out of time if one was, known if one was,
 * skipped if all were.
 *
 * @param runs The runs, at least one.
 * @returns One run, which took as long as all of them.
 */
export function combineRuns(runs: readonly [CheckRun, ...CheckRun[]]): CheckRun {
  if (runs.length === 1) return runs[0];
  const worst = (["fail", "timeout", "known", "pass"] as const).find((status) =>
    runs.some((run) => run.status === status)
  );
  const ms = Math.round(runs.reduce((all, run) => all + run.ms, 0) * 1000) / 1000;
  const of = runs.filter(({ status }) => status === worst);
  const first = of[0];
  if (first === undefined) return { ...runs[0], ms };
  const counted = `${WORDS[first.status]} in ${of.length} of ${runs.length} runs`;
  const detail = first.detail === null ? counted : `${counted}: ${first.detail}`;
  const reports = runs.flatMap((run) => run.reports).slice(0, MOST_REPORTS);
  return { ...first, detail, reports, ms };
}
