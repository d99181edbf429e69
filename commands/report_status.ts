import type { CheckReport } from "../checks/check_report.ts";
import { EXIT } from "../lab/exit_status.ts";
import { hasFailed } from "../report/has_failed.ts";
import { interruptStatus } from "../cli/interrupt_status.ts";

/**
 * The exit status that a report of checks stands for: README.md, "Exit statuses".
 *
 * @param report The report.
 * @returns 1 where a check failed, 70 where that was by defects of this program alone, 4 where none could be made.
 */
export function reportStatus(report: CheckReport): number {
  const { checks, summary, strict, complete, interrupted } = report;
  const failed = checks.filter((check) => hasFailed(check, strict));
  if (failed.length > 0) return failed.every(({ defect }) => defect) ? EXIT.DEFECT : EXIT.BROKEN;
  if (interrupted !== null) return interruptStatus(interrupted);
  if (!complete) return EXIT.CLOSED_PIPE;
  return summary.pass + summary.known > 0 ? EXIT.OK : EXIT.HOST;
}
