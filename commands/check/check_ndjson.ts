// `dirtyring check` as NDJSON: a check a line, and all of the result except its checks as the last.
import type { Outlet } from "../../cli/context.ts";
import type { CheckResult } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { Watcher } from "../../conformance/runner/conformance.ts";
import type { Page } from "../../report/page.ts";
import { recorded } from "../../report/record.ts";

/** Prints checks as they end, a line of JSON each. */
export function ndjsonProgress({ page, print }: Outlet): Watcher {
  return {
    begin: () => true,
    result: (result) => print(checkResultNdjson(result, page)),
  };
}

/**
 * Formats a check that has ended.
 *
 * @returns A line with its end.
 */
export function* checkResultNdjson(result: CheckResult, page: Page): Generator<string> {
  yield `${JSON.stringify(recorded(result, page))}\n`;
}

/**
 * Formats the last line: all of the result except its checks.
 *
 * @returns A line with its end.
 */
export function* checkEndNdjson(
  { checks: _, ...rest }: CheckReport,
  page: Page,
): Generator<string> {
  yield `${JSON.stringify(recorded(rest, page))}\n`;
}
