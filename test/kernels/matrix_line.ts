// The command line of `deno task kernels`.
import { count, type Option, type OptionTable, type Values } from "../../cli/option.ts";
import { parseLine } from "../../cli/parse.ts";
import { type Configuration, pickConfigurations, pickSeries, SERIES } from "./matrix.ts";

const kernels: Option<readonly string[]> = {
  value: "SERIES",
  help: "the kernels",
  fallback: SERIES,
  fallbackText: SERIES.join(),
  parse: pickSeries,
};

const OPTIONS = {
  kernels,
  fuzz: count("random programs on each; 0 is none", 50),
  seed: count("their seed", 1),
} satisfies OptionTable;

/** The parsed command line. */
export interface MatrixLine extends Values<typeof OPTIONS> {
  /** The host configurations. */
  readonly configurations: readonly Configuration[];
}

/**
 * Parses the command line.
 *
 * @param args `amd`, `intel` or names of configurations, `--kernels`, `--fuzz`, `--seed`.
 * @throws {UsageError} If it is wrong.
 */
export async function matrixLine(args: readonly string[]): Promise<MatrixLine> {
  const { values, operands } = await parseLine(args, OPTIONS);
  // parseLine() parsed them with OPTIONS.
  const options = values as Values<typeof OPTIONS>;
  return { ...options, configurations: pickConfigurations(operands) };
}
