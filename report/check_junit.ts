import type { CheckReport } from "../checks/check_report.ts";
import type { CheckResult, CheckStatus } from "../checks/check_result.ts";
import { hasFailed } from "./has_failed.ts";
import { incompleteText } from "./incomplete_text.ts";
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
export function* checkJunit(report: CheckReport, { when }: JunitFacts): Generator<string> {
  const { planned, checks, strict } = report;
  const timestamp = when.toISOString().slice(0, 19);
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n';
  for (const [n, { group }] of planned.entries()) {
    const results = checks.filter((one) => one.group === group);
    const failures = results.filter((one) => hasFailed(one, strict)).length;
    const skipped = results.filter((one) => isSkipped(one, strict)).length;
    yield `  <testsuite package="dirtyring" id="${n}"${
      attributes({
        name: group,
        timestamp,
        hostname: "localhost",
        tests: `${results.length}`,
        failures: `${failures}`,
        errors: "0",
        skipped: `${skipped}`,
        time: seconds(results.reduce((sum, { ms }) => sum + ms, 0)),
      })
    }>\n`;
    yield* properties(report);
    for (const result of results) yield* testcase(result, strict);
    yield `    <system-out>${xml(words(report, results).join("\n"))}</system-out>\n`;
    yield "    <system-err></system-err>\n  </testsuite>\n";
  }
  yield "</testsuites>\n";
}

function* properties({ kernel, complete }: CheckReport): Generator<string> {
  const { backend, model, release, module } = kernel;
  const all = { backend, model, release, module, complete };
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

function* testcase(result: CheckResult, strict: boolean): Generator<string> {
  const { id, group, ms, status, detail } = result;
  const known = status === "known" ? "known defect: " : "";
  const head = `    <testcase${
    attributes({ name: id, classname: `dirtyring.${group}`, time: seconds(ms) })
  }`;
  if (isSkipped(result, strict)) {
    const message = attributes({ message: `${known}${detail ?? ""}` });
    yield `${head}>\n      <skipped${message}/>\n    </testcase>\n`;
  } else if (hasFailed(result, strict)) {
    const type = TYPES[status] ?? "failed check";
    const message = attributes({ message: `${known}${summary(result)}`, type });
    yield `${head}>\n      <failure${message}>${xml(story(result))}</failure>\n    </testcase>\n`;
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

function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values).map(([name, value]) => ` ${name}="${xml(value)}"`).join("");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

// XML has no way at all to write most control characters, half a surrogate pair, and two others.
function xml(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll(/[&<>"\t\n\r]/g, (one) => ESCAPES[one]!);
}
