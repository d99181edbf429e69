import type { RoundResult } from "../../drive/rounds.ts";
import type { RunResult } from "../../drive/story.ts";
import { labHead } from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import { sortText } from "../../report/sort_text.ts";
import { type Align, countText, table, timeText } from "../../report/table.ts";
import { checkText, statisticsText } from "../stats/stats_text.ts";

/** How many rounds are shown one by one. */
const SHOWN = 10;

const HEAD = ["round", "stores", "entries", "full exits", "resets", "reset"];
const TIMES = ["guest", "harvest", "in reset"];

/**
 * Formats the result of `dirtyring run` for people.
 *
 * @param page Where it is written. A run that is quiet tells what did not hold, and its verdict.
 * @returns Lines with their ends.
 */
export function* runText(result: RunResult, page: Page): Generator<string> {
  yield* labHead(result, page);
  if (!page.quiet) yield* roundsText(result, page);
  yield* checkText(result, page);
  yield `${page.quiet ? "" : "\n"}${verdict(result)}\n`;
}

function* roundsText(result: RunResult, page: Page): Generator<string> {
  if (page.header) yield "\n";
  const { rounds } = result;
  const head = [...HEAD, ...(page.times ? TIMES : [])];
  const row = (name: string, round: RoundResult) => [
    ...[name, ...cells(round)],
    ...(page.times ? timeCells(round) : []),
  ];
  yield* table(
    [
      head,
      ...rounds.slice(0, SHOWN).map((round, n) => row(`${n + 1}`, round)),
      row("total", total(rounds)),
    ],
    head.map((): Align => "right"),
    "  ",
    { page, heads: 1 },
  );
  const more = rounds.length - SHOWN;
  if (more > 0) {
    yield `  and ${more} more, which the total includes (--format json lists them all)\n`;
  }
  yield* statisticsText(result.stats, result.kernel.backend, page, result.sort !== null);
  if (result.sort !== null) yield* sortText(result.sort, result.kernel.backend, page);
}

function cells(round: RoundResult): string[] {
  return [
    `${round.stores}`,
    `${round.entries}`,
    `${round.fullExits}`,
    `${round.resets}`,
    `${round.reset}`,
  ];
}

function timeCells({ guestNs, harvestNs, resetNs }: RoundResult): string[] {
  return [guestNs, harvestNs, resetNs].map(timeText);
}

function total(rounds: readonly RoundResult[]): RoundResult {
  const sum = (field: keyof RoundResult) => rounds.reduce((all, round) => all + round[field], 0);
  return {
    stores: sum("stores"),
    entries: sum("entries"),
    fullExits: sum("fullExits"),
    resets: sum("resets"),
    reset: sum("reset"),
    guestNs: sum("guestNs"),
    harvestNs: sum("harvestNs"),
    resetNs: sum("resetNs"),
  };
}

function verdict({ ok, lost, spurious, problems }: RunResult): string {
  if (!ok) {
    return `FAILED: ${countText(lost.count, "lost page")}, ${
      countText(problems.length, "problem")
    }`;
  }
  const unwritten = spurious.count === 0
    ? ""
    : `; ${
      countText(spurious.count, "page")
    } harvested without news (nothing new in them): no failure`;
  return `ok: every store was announced, every harvested entry was reset${unwritten}`;
}
