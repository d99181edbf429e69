import { type Command, defineCommand, type Formatter, json } from "../../cli/command.ts";
import type { Context } from "../../cli/context.ts";
import { choice, type Operand, parsePath } from "../../cli/option.ts";
import { EXIT, UsageError } from "../../host/errors.ts";
import { failAboveOption } from "./compare_options.ts";
import type { CompareResult } from "./compare_result.ts";

const parseFile = parsePath("file");

const base: Operand<string> = {
  value: "OLD.json",
  isRequired: true,
  help: "the result with which the others are compared: what a command wrote with --format json, " +
    "or with ndjson; - is standard input",
  fallback: "",
  fallbackText: null,
  completes: { path: "file" },
  file: (path) => path === "" ? null : { path, use: "read" },
  parse: parseFile,
};

const others: Operand<readonly string[]> = {
  value: "NEW.json",
  isRequired: true,
  isMany: true,
  help: "the results that are compared with it, each in a column",
  fallback: [],
  fallbackText: null,
  completes: { path: "file" },
  file: (paths) => paths.map((path) => ({ path, use: "read" })),
  parse: (text) => [parseFile(text)],
};

async function text(): Promise<Formatter<CompareResult, unknown>> {
  const { compareText } = await import("./compare_text.ts");
  return (result, _, page) => compareText(result, page);
}

async function markdown(): Promise<Formatter<CompareResult, unknown>> {
  const { compareMarkdown } = await import("./compare_markdown.ts");
  return (result, _, page) => compareMarkdown(result, page);
}

interface Options {
  readonly base: string;
  readonly others: readonly string[];
  readonly "fail-above": number;
}

async function run(options: Options, { machines }: Context): Promise<CompareResult> {
  if (machines !== null) {
    throw new UsageError("--kernel: does not go with compare, which asks no kernel");
  }
  const paths = [options.base, ...options.others];
  if (paths.filter((path) => path === "-").length > 1) {
    throw new UsageError("-: standard input can be read once; expected it for one of the results");
  }
  const { readResult } = await import("./read_result.ts");
  const { compare } = await import("./compare.ts");
  const [old, ...rest] = paths.map((path) => readResult(path));
  return compare(old!, rest, options["fail-above"]);
}

/** `dirtyring compare` */
export const command: Command = defineCommand({
  name: "compare",
  summary: "two results or more of the same command: what got worse?",
  details:
    "Reads what a command wrote as JSON. Of check it shows the statements whose status or answer changed, and " +
    "those that are new or gone; of bench, live, run, stats, checkpoint and reset each figure with its ratio. A " +
    "figure that was measured differs where the 99 % interval of its ratio, by a rank test over the samples of both " +
    "results, leaves out 1: of 100 figures of the same kernel one is told to differ by chance. It is worse where, " +
    "besides, its median is worse by more than --fail-above. Fewer than five repetitions are too few to tell, and " +
    "times of the model are never judged. A count is compared as it is. The exit status is 1 if a statement or a " +
    "figure got worse, and 2 if a file is no result, or is one of another lab. docs/regression.md has a whole " +
    "regression run.",
  operands: { base, others },
  options: {
    "fail-above": failAboveOption,
    format: choice("how the result is written", ["text", "markdown", "json"]),
  },
  often: ["fail-above", "format"],
  examples: [
    ["dirtyring compare old.json new.json", "what got worse between two runs"],
    [
      "dirtyring compare old.json new.json --fail-above 3% --format markdown",
      "for a pull request, and stricter",
    ],
    ["dirtyring compare 6.1.json 6.12.json next.json", "two kernels beside the first"],
  ],
  formats: { text, markdown, json },
  run,
  asksMachines: () => true,
  status: ({ ok }) => ok ? EXIT.OK : EXIT.BROKEN,
});
