// `dirtyring check` as JUnit: for one kernel, and for several.

import { type CheckResult, type CheckStatus, hasFailed } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { KernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { KernelRun } from "../../host/kernel_run.ts";
import { escapeXml } from "../../report/chart/style.ts";
import { problemText } from "../../report/kernels_text.ts";
import { incompleteText, lostLogText, reportLines, unreadLogText } from "../../report/notes.ts";

/** What JUnit needs beyond the result. */
export interface JunitFacts {
  /**
   * When the checks were made; `null` leaves out all times, which Jenkins' schema allows, and Ant's
   * does not.
   */
  readonly when: Date | null;
}

/**
 * Formats the result of `dirtyring check` as JUnit: one suite for each group. It is valid by the
 * schemas of Ant's and Jenkins' JUnit. Ant's requires a time stamp, and `localhost` if the host's
 * name is not known.
 *
 * @returns Lines with their ends.
 */
export function* checkJunit(report: CheckReport, facts: JunitFacts): Generator<string> {
  yield JUNIT_BEGIN;
  yield* junitSuites(report, facts, PLAIN);
  yield JUNIT_END;
}

/** The lines before the first suite. */
export const JUNIT_BEGIN = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n';
/** The line after the last suite. */
export const JUNIT_END = "</testsuites>\n";

/** How the suites of a report differ from those of other reports in the same file. */
export interface JunitPlace {
  /** The number of the first suite. */
  readonly first: number;
  /** The prefix of a group's name in the name of its suite. */
  readonly suite: string;
  /** The prefix of a group's name in the class of its tests. */
  readonly classname: string;
  /** Properties in addition to those of the report. */
  readonly properties: Readonly<Record<string, string>>;
}

const PLAIN: JunitPlace = { first: 0, suite: "", classname: "dirtyring.", properties: {} };

/**
 * Formats a report as suites, one for each group.
 *
 * @param place How these suites differ from others in the same file.
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
        ...(when === null ? {} : { timestamp: timestamp(when) }),
        hostname: "localhost",
        tests: `${results.length}`,
        failures: `${failures}`,
        errors: "0",
        skipped: `${skipped}`,
        ...timeOf(when, results.reduce((sum, { ms }) => sum + ms, 0)),
      })
    }>\n`;
    yield* properties(report, place);
    for (const result of results) yield* testcase(result, strict, place, when);
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

// The type of a failure, if it is not a plain one.
const TYPES: Partial<Readonly<Record<CheckStatus, string>>> = {
  known: "known defect",
  timeout: "timeout",
};

function* testcase(
  result: CheckResult,
  strict: boolean,
  { classname }: JunitPlace,
  when: JunitFacts["when"],
): Generator<string> {
  const { id, group, ms, status, detail } = result;
  const known = status === "known" ? "known defect: " : "";
  const head = `    <testcase${
    attributes({ name: id, classname: `${classname}${group}`, ...timeOf(when, ms) })
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

// What passed tests have to say: it stands in the suite, because the schemas have no place for it
// in a test.
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

/**
 * Formats the result of `dirtyring check` on several kernels as JUnit: one suite for each group of
 * each kernel, and one with an error for each kernel without a whole report.
 *
 * @returns Lines with their ends.
 */
export function* checkKernelsJunit(
  { kernels, interrupted }: KernelsReport,
  facts: JunitFacts,
): Generator<string> {
  let first = 0;
  yield JUNIT_BEGIN;
  for (const kernel of kernels) {
    const { report, problem, label } = kernel;
    const properties = propertiesOf(kernel);
    if (report !== null) {
      const place = { first, suite: `${label} `, classname: `dirtyring.${label}.`, properties };
      yield* junitSuites(report, facts, place);
      first += report.planned.length;
    }
    if (problem !== null || (report === null && interrupted === null)) {
      yield* errorSuite(kernel, facts, first++);
    }
  }
  yield JUNIT_END;
}

function propertiesOf({ kernel, kernelArgs, cpu }: KernelRun): Record<string, string> {
  return { kernel, kernelArgs, ...(cpu === null ? {} : { cpu }) };
}

function* errorSuite(
  kernel: KernelRun<CheckReport>,
  { when }: JunitFacts,
  id: number,
): Generator<string> {
  const { label, console } = kernel;
  const time = timeOf(when, 0);
  const stamp = when === null ? {} : { timestamp: timestamp(when) };
  const counts = { tests: "1", failures: "0", errors: "1", skipped: "0", ...time };
  yield `  <testsuite package="dirtyring" id="${id}"${
    attributes({ name: label, ...stamp, hostname: "localhost", ...counts })
  }>\n    <properties>\n`;
  for (const [name, value] of Object.entries(propertiesOf(kernel))) {
    yield `      <property${attributes({ name, value })}/>\n`;
  }
  yield "    </properties>\n";
  const message = problemText(kernel, null) ?? "";
  yield `    <testcase${
    attributes({ name: "report", classname: `dirtyring.${label}`, ...time })
  }>\n`;
  yield `      <error${attributes({ message, type: "no whole report" })}>${
    escapeXml([message, ...console].join("\n"))
  }</error>\n    </testcase>\n`;
  yield "    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n";
}

// The attribute for a duration in milliseconds, where times are wanted.
function timeOf(when: JunitFacts["when"], ms: number): { readonly time?: string } {
  return when === null ? {} : { time: seconds(ms) };
}

/** A time stamp as JUnit's schema requires it: in UTC, without fractions of a second. */
export function timestamp(when: Date): string {
  return when.toISOString().slice(0, 19);
}

/**
 * A duration as JUnit has it: in seconds.
 *
 * @param ms Milliseconds.
 */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

/**
 * Formats the attributes of an element.
 *
 * @param values The attributes' values by name.
 * @returns The attributes, each with a space before it.
 */
export function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values).map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join("");
}
