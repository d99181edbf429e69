// What of a result is compared: its statements and its figures.
import type { KernelFacts } from "../../host/facts.ts";
import { benchParts } from "./comparable_bench.ts";
import { checkParts, enableParts, fuzzParts, listParts } from "./comparable_check.ts";
import { checkpointParts, liveParts, restoreParts } from "./comparable_live.ts";
import { dumpParts, probeParts, resetParts, runParts, statsParts } from "./comparable_lab.ts";
import type { Parts } from "./comparable_parts.ts";
import type { Foreign } from "./foreign.ts";

/** A kernel's part of a result. */
export interface Subject extends Parts {
  /** The kernel's label; `null` if the result is of one kernel. */
  readonly label: string | null;
  /** Which kernel answered; `null` if there is no report of it. */
  readonly kernel: KernelFacts | null;
}

/** A result, made comparable. */
export interface Comparable {
  /** The file that it came from, as given. */
  readonly file: string;
  /** Its schema. */
  readonly schema: string;
  /** Its kernels, at least one. */
  readonly subjects: readonly Subject[];
}

type Reader = (result: Foreign, isModel: boolean) => Parts;

const READERS: Readonly<Record<string, Reader>> = {
  "dirtyring.probe/1": probeParts,
  "dirtyring.enable/1": enableParts,
  "dirtyring.dump/1": dumpParts,
  "dirtyring.reset/1": resetParts,
  "dirtyring.stats/1": statsParts,
  "dirtyring.run/1": runParts,
  "dirtyring.live/1": liveParts,
  "dirtyring.checkpoint/1": checkpointParts,
  "dirtyring.restore/1": restoreParts,
  "dirtyring.check/1": checkParts,
  "dirtyring.check-list/1": listParts,
  "dirtyring.fuzz/1": fuzzParts,
  "dirtyring.bench/1": benchParts,
};

/** The results of several kernels, and what each of their reports is. */
const OF_KERNELS: Readonly<Record<string, string>> = {
  "dirtyring.check-kernels/1": "dirtyring.check/1",
  "dirtyring.fuzz-kernels/1": "dirtyring.fuzz/1",
  "dirtyring.bench-kernels/1": "dirtyring.bench/1",
};

/** The most figures and statements of a result: more than those of a thousand vCPUs. */
const MOST = 50_000;

/**
 * Makes a result comparable.
 *
 * @param file The file that it came from, as given.
 * @param result The result; its errors name the file by themselves.
 * @throws {UsageError} If it is no result that can be compared, or a field is not as it must be.
 */
export function comparableOf(file: string, result: Foreign): Comparable {
  const schema = result.at("schema").text();
  const single = Object.hasOwn(OF_KERNELS, schema) ? OF_KERNELS[schema] : undefined;
  if (single === undefined) {
    return { file, schema, subjects: [subjectOf(result, schema, null)] };
  }
  const subjects = result.at("kernels").list().map((one) => {
    const label = one.at("label").text();
    const report = one.at("report");
    if (!report.isNull) return subjectOf(report, single, label);
    const problem = one.at("problem").orNull((problem) => problem.text());
    return unanswered(label, problem);
  });
  if (subjects.length === 0) throw result.at("kernels").wrong("one kernel at least");
  return { file, schema, subjects };
}

function subjectOf(
  result: Foreign,
  schema: string,
  label: string | null,
): Subject {
  const named = result.at("schema").text();
  const read = Object.hasOwn(READERS, schema) ? READERS[schema] : undefined;
  if (named !== schema || read === undefined) {
    throw result.at("schema").wrong("that of a command of dirtyring, written with --format json");
  }
  // What is checked on no kernel, such as a list of checks, has none.
  const from = result.at(schema === "dirtyring.check-list/1" ? "none" : "kernel");
  const kernel = from.isMissing ? null : factsOf(from);
  const { statements: found, ...parts } = read(result, kernel?.backend === "model");
  const statements = label === null
    ? found
    : [{ ...ANSWERS, status: "pass", answer: null }, ...found];
  if (parts.figures.length + statements.length > MOST) {
    throw result.wrong(`at most ${MOST} statements and figures`);
  }
  return { label, kernel, statements, ...parts };
}

/** The statement of each kernel of several. */
const ANSWERS = { id: "report", statement: "the kernel gave a report", withheld: false };

function unanswered(label: string, problem: string | null): Subject {
  return {
    label,
    kernel: null,
    options: {},
    statements: [{ ...ANSWERS, status: "fail", answer: problem }],
    figures: [],
    partial: problem ?? "no report",
  };
}

function factsOf(kernel: Foreign): KernelFacts {
  return {
    backend: kernel.at("backend").word("kvm", "model"),
    model: kernel.at("model").orNull((model) => model.text()),
    release: kernel.at("release").text(),
    module: kernel.at("module").orNull((module) => module.text()),
    ringMaxBytes: kernel.at("ringMaxBytes").orNull((bytes) => bytes.amount()),
  };
}
