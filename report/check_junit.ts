import type { CheckReport } from "../checks/check_report.ts";
import type { CheckResult, CheckStatus } from "../checks/check_result.ts";
import { hasFailed } from "./has_failed.ts";
import { incompleteText } from "./incomplete_text.ts";
import { attributes, seconds, timestamp } from "./junit_xml.ts";
import { escapeXml } from "./xml.ts";
import { lostLogText, reportLines, unreadLogText } from "./kernel_log_text.ts";

/** What the schema wants to know beyond the result. */
export interface JunitFacts {
  /** When the checks were made. */
  readonly when: Date;
}

/**
 * `dirtyring check` as JUnit: a suite for each group. Valid by the schemas of Ant's and of Jenkins' JUnit;
 * the former wants a time stamp, and `localhost` where the host's name is not known.
 *
 * @param report What the checks came to.
 * @param facts What else is to be said.
 * @returns Lines with their ends.
 */
export function* checkJunit(report: CheckReport, facts: JunitFacts): Generator<string> {
  yield JUNIT_BEGIN;
  yield* junitSuites(report, facts, PLAIN);
  yield JUNIT_END;
}

/** The lines before the first suite. */
export const JUNIT_BEGIN = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n';
/** The line behind the last. */
export const JUNIT_END = "</testsuites>\n";

/** How the suites of a report differ from those of others in the same file. */
export interface JunitPlace {
  /** The number of the first. */
  readonly first: number;
  /** What stands before the name of a group in that of its suite. */
  readonly suite: string;
  /** What stands before it in the class of its tests. */
  readonly classname: string;
  /** Properties beside those of the report. */
  readonly properties: Readonly<Record<string, string>>;
}

const PLAIN: JunitPlace = { first: 0, suite: "", classname: "dirtyring.", properties: {} };

/**
 * A suite for each group of a report.
 *
 * @param report What the checks came to.
 * @param facts What else is to be said.
 * @param place Where the suites stand.
 * @returns Lines with their ends.
 */
export function* junitSuites(
  report: CheckReport,
  { when }: JunitFacts,
  place: JunitPlace,
): Generator<string> {
  const { planned, checks, strict } = report;
  for (const [n, { group }] of planned.entries()) {
    const results = checks.filter((one) => one.group === group);
    const failures = results.filter((one) => hasFailed(one, strict)).length;
    const skipped = results.filter((one) => isSkipped(one, strict)).length;
    yield `  <testsuite package="dirtyring" id="${place.first + n}"${
      attributes({
        name: `${place.suite}${group}`,
        timestamp: timestamp(when),
        hostname: "localhost",
        tests: `${results.length}`,
        failures: `${failures}`,
        errors: "0",
        skipped: `${skipped}`,
        time: seconds(results.reduce((sum, { ms }) => sum + ms, 0)),
      })
    }>\n`;
    yield* properties(report, place);
    for (const result of results) yield* testcase(result, strict, place);
    yield `    <system-out>${escapeXml(words(report, results).join("\n"))}</system-out>\n`;
    yield "    <system-err></system-err>\n  </testsuite>\n";
  }
}

function* properties({ kernel, complete }: CheckReport, place: JunitPlace): Generator<string> {
  const { backend, model, release, module } = kernel;
  const all = { ...place.properties, backend, model, release, module, complete };
  yield "    <properties>\n";
  for (const [name, value] of Object.entries(all)) {
    if (value !== null) yield `      <property${attributes({ name, value: `${value}` })}/>\n`;
  }
  yield "    </properties>\n";
}

// What kind of failure it is, where it is not the plain one.
const TYPES: Partial<Readonly<Record<CheckStatus, string>>> = {
  known: "known defect",
  timeout: "timeout",
};

function* testcase(
  result: CheckResult,
  strict: boolean,
  { classname }: JunitPlace,
): Generator<string> {
  const { id, group, ms, status, detail } = result;
  const known = status === "known" ? "known defect: " : "";
  const head = `    <testcase${
    attributes({ name: id, classname: `${classname}${group}`, time: seconds(ms) })
  }`;
  if (isSkipped(result, strict)) {
    const message = attributes({ message: `${known}${detail ?? ""}` });
    yield `${head}>\n      <skipped${message}/>\n    </testcase>\n`;
  } else if (hasFailed(result, strict)) {
    const type = TYPES[status] ?? "failed check";
    const message = attributes({ message: `${known}${summary(result)}`, type });
    yield `${head}>\n      <failure${message}>${
      escapeXml(story(result))
    }</failure>\n    </testcase>\n`;
  } else {
    yield `${head}/>\n`;
  }
}

// What a test that passed says: the schemas have no place in the test for it.
function words(report: CheckReport, results: readonly CheckResult[]): string[] {
  const { kernelLog: log } = report;
  const missing = [unreadLogText(log), lostLogText(log), incompleteText(report)];
  const said = results.filter(({ status, detail }) => status === "pass" && detail !== null);
  return [
    ...missing.filter((one) => one !== null),
    ...said.map(({ id, detail }) => `${id}: ${detail}`),
  ];
}

function isSkipped({ status }: CheckResult, strict: boolean): boolean {
  return status === "skip" || (status === "known" && !strict);
}

function summary({ detail, expected, seen, statement }: CheckResult): string {
  const what = detail ?? statement;
  return expected === null ? what : `${what}: expected ${expected}, seen ${seen}`;
}

function story({ statement, detail, expected, seen, reports, source }: CheckResult): string {
  return [
    statement,
    ...(detail === null ? [] : [detail]),
    ...(expected === null ? [] : [`expected  ${expected}`]),
    ...(seen === null ? [] : [`seen      ${seen}`]),
    ...reportLines(reports).map((line) => `kernel    ${line}`),
    `source    ${source}`,
  ].join("\n");
}
