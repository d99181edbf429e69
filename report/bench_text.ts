import type { BenchResult } from "../sweeps/bench.ts";
import { costText, crossoverText } from "./bench_cost_text.ts";
import { densityText, patternsText, ringSizesText } from "./bench_sweeps_text.ts";
import { kernelLine } from "./lab_text.ts";
import { timesNote } from "./times_note.ts";
import { countText } from "./units.ts";
import { printable } from "../text/printable.ts";
import { oneLine } from "./one_line.ts";

/**
 * `dirtyring bench` for people.
 *
 * @param result The result.
 * @returns Lines with their ends.
 */
export function* benchText(result: BenchResult): Generator<string> {
  const { options, kernel } = result;
  yield `${kernelLine(kernel)}\n`;
  yield `bench   ${options.guest} guest, ${
    printable(options.pattern)
  }, seed ${options.seed}, ring of ` +
    `${options.ring} entries\n`;
  yield `        medians of ${countText(result.repetitions, "repetition")} or more, in turn\n`;
  yield* timesNote(kernel.backend, result.emulated, "what re-arming costs");
  if (result.cells.length > 0) {
    yield* costText(result.cells);
    yield* crossoverText(result.cells, result.crossover);
  }
  if (result.ringSizeGuest !== null) {
    yield* ringSizesText(result.ringSizes, result.ringSizeGuest);
  }
  if (result.patterns.length > 0) yield* patternsText(result.patterns);
  if (result.sorting.length > 0) yield* densityText(result.sorting, result.sortPays);
  yield* endText(result);
}

function* endText({ interrupted, problems, ok }: BenchResult): Generator<string> {
  if (interrupted !== null) yield `\ninterrupted by ${interrupted}: figures up to there\n`;
  for (const problem of problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield ok
    ? "\nok: every tracker found the pages that were stored to, and no others\n"
    : `\nFAILED: ${countText(problems.length, "problem")}\n`;
}
