// What `check --format ndjson` says in a machine, a line at a time. The kernel under test may have it say anything.
import type { CheckReport } from "../checks/check_report.ts";
import { type CheckResult, checkResult, type CheckRun } from "../checks/check_result.ts";
import type { PlannedCheck } from "../checks/supervisor.ts";
import type { InterruptSignal } from "../lab/interrupt.ts";
import { FrameError } from "../vm/frames.ts";
import { printable } from "../text/printable.ts";
import { KERNEL_FACTS, saidIn } from "../vm/guest_words.ts";
import { count, flag, list, number, orNull, record, type Shape, text, word } from "../vm/shape.ts";

/** All of a report but its checks. */
export type ReportRest = Omit<CheckReport, "checks">;

const RUN = record<CheckRun & { readonly id: string }>({
  id: text,
  status: word("pass", "fail", "timeout", "skip", "known"),
  detail: orNull(text),
  expected: orNull(text),
  seen: orNull(text),
  withheld: orNull(word("allow-warn", "allow-harm")),
  defect: flag,
  reports: list(list(text)),
  ms: number,
});

const SUMMARY = record<CheckReport["summary"]>({
  ...{ pass: count(), fail: count(), timeout: count(), skip: count(), known: count() },
});

const REST = record<Omit<ReportRest, "planned">>({
  schema: word("dirtyring.check/1"),
  kernel: KERNEL_FACTS,
  kernelLog: orNull(
    record<NonNullable<CheckReport["kernelLog"]>>({
      ...{ read: flag, why: orNull(text), lost: count() },
    }),
  ),
  complete: flag,
  interrupted: orNull(word<InterruptSignal>("SIGINT", "SIGTERM", "SIGHUP")),
  strict: flag,
  seed: orNull(count()),
  repeat: count(),
  limit: orNull(
    record<NonNullable<CheckReport["limit"]>>({
      ...{ ms: number, given: flag, slowness: orNull(number) },
    }),
  ),
  summary: SUMMARY,
});

const ANY: Shape<object> = record<object>({});

/**
 * Reads a line: the result of a check, or all of the report but its checks.
 *
 * @param line The line.
 * @param plan What was asked.
 * @param planned The same, counted by groups.
 * @returns Either of them; of a check's result what the plan knows is the plan's.
 * @throws {FrameError} Where it is neither, or of a check that was not asked for.
 */
export function checkSaid(
  line: string,
  plan: readonly PlannedCheck[],
  planned: CheckReport["planned"],
): CheckResult | ReportRest {
  if ("schema" in saidIn(line, ANY)) return { ...saidIn(line, REST), planned };
  const { id, ...run } = saidIn(line, RUN);
  const check = plan.find((one) => one.id === id);
  if (check !== undefined) return checkResult(check, run);
  throw new FrameError(`the machine answered a check that it was not asked: ${printable(id)}`);
}
