// The tables of docs/kernels.md, and the problems that keep a run out of them.
import type { FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { Result } from "../../host/facts.ts";
import type { Watched } from "../../host/kernel_log.ts";
import type { KernelRun } from "../../host/kernel_run.ts";
import type { Configuration } from "./matrix.ts";
import { checksProblem, fuzzProblem } from "./problems.ts";

/** A run on a kernel, on one of the hosts. */
export interface Asked<Report extends Result> {
  /** The series, such as `6.12`. */
  readonly series: string;
  /** The host's configuration. */
  readonly configuration: Configuration;
  /** The text for its processor in the table. */
  readonly processor: string;
  /** The run. */
  readonly run: KernelRun<Report>;
}

/** A table, and the problems of its runs, which must not be overlooked. */
export interface Table {
  /** Its lines in Markdown; none if it has no rows. */
  readonly lines: readonly string[];
  /** A line for each run that was incomplete or failed. */
  readonly problems: readonly string[];
}

const HOST = ["kernel", "module", "how guests are mapped", "processor"];
const COUNTS = ["passed", "failed", "skipped", "known"];
const FUZZ_HEAD = ["host", "programs", "calls", "entries"];

/**
 * A kernel's name for the table: its release without the parts that all of Debian's kernels share.
 *
 * @param release The release, as `uname -r` prints it.
 * @returns `6.12.117` for `6.12.117+deb12-amd64`.
 */
export function shortRelease(release: string): string {
  return release.replace(/(\+deb\d+)?-amd64$/, "");
}

/**
 * The table "Checks".
 *
 * @returns The table, with only the runs in which all checks were made.
 */
export function checksTable(asked: readonly Asked<CheckReport>[]): Table {
  return tableOf(asked, {
    head: [...HOST, ...COUNTS],
    problem: checksProblem,
    isWhole: ({ complete }) => complete,
    cells({ configuration, processor }, { kernel, summary }) {
      const { pass, fail, timeout, skip, known } = summary;
      const host = [...kernelCells(kernel), configuration.mapping, processor];
      return [...host, ...[pass, fail + timeout, skip, known].map(String)];
    },
  });
}

/**
 * The table of random programs.
 *
 * @returns The table, with only the runs in which all programs were run without a mismatch.
 */
export function fuzzTable(asked: readonly Asked<Watched<FuzzResult>>[]): Table {
  return tableOf(asked, {
    head: FUZZ_HEAD,
    problem: fuzzProblem,
    isWhole: (_, problem) => problem === null,
    cells({ configuration }, { kernel, programs, seed, calls, entries }) {
      const host = [...kernelCells(kernel), configuration.mapping].join(", ");
      const numbers = [calls, entries].map((count) => count.toLocaleString("en"));
      return [host, `${programs}, seed ${seed}`, ...numbers];
    },
  });
}

interface Columns<Report extends Result> {
  readonly head: readonly string[];
  problem(run: KernelRun<Report>): string | null;
  isWhole(report: Report, problem: string | null): boolean;
  cells(one: Asked<Report>, report: Report): readonly string[];
}

function tableOf<Report extends Result>(
  asked: readonly Asked<Report>[],
  { head, problem: problemOf, isWhole, cells }: Columns<Report>,
): Table {
  const rows: (readonly string[])[] = [];
  const problems: string[] = [];
  for (const one of inOrder(asked)) {
    const { run: { report }, configuration: { cpu, mapping } } = one;
    // The report must come from the module that was asked for.
    const module = report?.kernel.module;
    const isOther = report !== null && module !== `kvm_${cpu}`;
    const problem = isOther ? `${module} answered` : problemOf(one.run);
    if (problem !== null) {
      problems.push(`Linux ${one.series}, kvm_${cpu}, ${mapping.replaceAll("`", "")}: ${problem}`);
    }
    if (report !== null && !isOther && isWhole(report, problem)) rows.push(cells(one, report));
  }
  const [first, ...others] = [head, ...rows].map((row) => `| ${row.join(" | ")} |`);
  const lines = [first!, `|${"---|".repeat(head.length)}`, ...others];
  return { lines: rows.length === 0 ? [] : lines, problems };
}

// Sorts runs by module, then by kernel, then by how guests are mapped. They were made in another
// order.
function inOrder<Report extends Result>(asked: readonly Asked<Report>[]): Asked<Report>[] {
  const byHost = Map.groupBy(asked, ({ series, configuration: { cpu } }) => `${cpu} ${series}`);
  const byCpu = Map.groupBy(byHost.values(), ([first]) => first!.configuration.cpu);
  return [...byCpu.values()].flat(2);
}

function kernelCells({ release, module }: Result["kernel"]): string[] {
  return [shortRelease(release), `\`${module}\``];
}
