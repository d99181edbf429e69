import type { CheckReport } from "../checks/check_report.ts";
import type { KernelsReport } from "../checks/kernels_report.ts";
import type { KernelRun } from "../lab/kernel_run.ts";
import { JUNIT_BEGIN, JUNIT_END, type JunitFacts, junitSuites } from "./check_junit.ts";
import { attributes, seconds, timestamp } from "./junit_xml.ts";
import { escapeXml } from "./xml.ts";
import { problemText } from "./kernels_text.ts";

/**
 * `dirtyring check` on several kernels as JUnit: a suite for each group of each kernel, and one with an error for each
 * kernel that told not all.
 *
 * @param report What they came to.
 * @param facts What else is to be said.
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
  const time = seconds(0);
  const counts = { tests: "1", failures: "0", errors: "1", skipped: "0", time };
  yield `  <testsuite package="dirtyring" id="${id}"${
    attributes({ name: label, timestamp: timestamp(when), hostname: "localhost", ...counts })
  }>\n    <properties>\n`;
  for (const [name, value] of Object.entries(propertiesOf(kernel))) {
    yield `      <property${attributes({ name, value })}/>\n`;
  }
  yield "    </properties>\n";
  const message = problemText(kernel, null) ?? "";
  yield `    <testcase${attributes({ name: "report", classname: `dirtyring.${label}`, time })}>\n`;
  yield `      <error${attributes({ message, type: "no whole report" })}>${
    escapeXml([message, ...console].join("\n"))
  }</error>\n    </testcase>\n`;
  yield "    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n";
}
