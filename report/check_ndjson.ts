import type { CheckReport } from "../checks/check_report.ts";
import type { CheckResult } from "../checks/check_result.ts";

/**
 * A check as a line of JSON, as it ends.
 *
 * @param result The check.
 * @returns A line with its end.
 */
export function* checkResultNdjson(result: CheckResult): Generator<string> {
  yield `${JSON.stringify(result)}\n`;
}

/**
 * The last line: all of the JSON result but its checks.
 *
 * @param report What the checks came to.
 * @returns A line with its end.
 */
export function* checkEndNdjson({ checks: _, ...rest }: CheckReport): Generator<string> {
  yield `${JSON.stringify(rest)}\n`;
}
