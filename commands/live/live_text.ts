import type { KernelFacts } from "../../host/facts.ts";
import type { ResolvedOptions } from "../../machine/plan.ts";
import { kernelLine, lostText, MODEL_TIMES } from "../../report/notes.ts";
import {
  type Align,
  countText,
  numberText,
  oneLine,
  sizeText,
  table,
  timeText,
} from "../../report/table.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { printable } from "../../text/printable.ts";
import type { LiveResult, LiveVcpuResult, Times } from "./live_result.ts";
import type { LiveOptions } from "./live_run.ts";
import type { WitnessResult } from "./tracepoint_witness.ts";

/**
 * Formats the head of a live run: kernel, lab and options.
 *
 * @returns Lines with their ends.
 */
export function* liveHeadText(
  kernel: KernelFacts,
  lab: ResolvedOptions,
  options: LiveOptions,
  { header }: Pick<Page, "header"> = PLAIN_PAGE,
): Generator<string> {
  if (!header) return;
  const { durationMs, stores, intervalMs } = options;
  const how = kernel.backend === "model" ? "in slices" : "on threads";
  const until = durationMs === null
    ? `until ${countText(stores ?? 0, "store")} are made`
    : `for ${timeText(durationMs * 1e6)}`;
  yield `${kernelLine(kernel)}\n`;
  yield `lab     ${lab.guest} guest, ${countText(lab.vcpus, "vCPU")} ${how}, ${
    sizeText(lab.memory)
  } in ${countText(lab.slots, "slot")}, rings of ${lab.ring} entries\n`;
  yield `        ${printable(lab.pattern)}, ${
    countText(lab.pages, "store")
  } a pass, seed ${lab.seed}, ${until}, ` +
    `harvested${options.sort === true ? ", sorted," : ""} every ${timeText(intervalMs * 1e6)}\n\n`;
}

/**
 * Formats the end of a live run for people. Its head was printed when it began.
 *
 * @param page Where it is written. A run that is quiet tells what did not hold, and its verdict.
 * @returns Lines with their ends.
 */
export function* liveEndText(
  result: LiveResult,
  page: Page,
): Generator<string> {
  if (!page.quiet) yield* figuresText(result, page);
  const blank = page.quiet ? "" : "\n";
  if (result.interrupted !== null) {
    yield `${blank}interrupted by ${result.interrupted}: figures up to there\n`;
  }
  if (result.error !== null) yield `${blank}ended early: ${oneLine(result.error)}\n`;
  yield blank;
  for (const problem of result.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield* lostText(result.lost);
  yield* verdict(result);
}

function* figuresText(result: LiveResult, page: Page): Generator<string> {
  const { kernel } = result;
  if (page.clock) {
    yield `ran for ${timeText(result.elapsedNs)}${
      kernel.backend === "model" ? " by the model's clock, which counts instructions" : ""
    }\n\n`;
  }
  yield* vcpusText(result, page);
  yield "\n";
  yield* timesText(result, page);
  if (result.witness !== null) yield* witnessText(result.witness, page);
}

function* vcpusText({ vcpus, elapsedNs }: LiveResult, page: Page): Generator<string> {
  const { clock } = page;
  const timed = (...cells: string[]) => clock ? cells : [];
  const rate = (stores: number) => numberText(Math.round(stores / (elapsedNs / 1e9)));
  const head = [
    ...["vCPU", "stores", ...timed("a second"), "entries", "unique pages", "full exits"],
    ...[...timed("stopped"), "occupancy mean", "p50", "p99", "max"],
  ];
  const row = (vcpu: LiveVcpuResult) => {
    const { stores, entries, uniquePages, fullExits, stoppedNs, occupancy } = vcpu;
    const { mean, p50, p99, max } = occupancy;
    return [
      ...[`${vcpu.vcpu}`, `${stores}`, ...timed(rate(stores)), `${entries}`, `${uniquePages}`],
      ...[`${fullExits}`, ...timed(timeText(stoppedNs))],
      ...[mean === null ? "-" : `${Math.round(mean)}`, numberText(p50), numberText(p99)],
      numberText(max),
    ];
  };
  const sum = (field: "stores" | "entries" | "fullExits" | "stoppedNs") =>
    vcpus.reduce((all, vcpu) => all + vcpu[field], 0);
  const total = [
    ...["total", `${sum("stores")}`, ...timed(rate(sum("stores"))), `${sum("entries")}`, ""],
    ...[`${sum("fullExits")}`, ...timed(timeText(sum("stoppedNs")))],
  ];
  yield* table([head, ...vcpus.map(row), total], head.map((): Align => "right"), "  ", {
    page,
    heads: 1,
  });
}

// How often what was done and, where times are shown, how long it took.
function* timesText(
  { kernel, harvest, reset, fullStop }: LiveResult,
  page: Page,
): Generator<string> {
  const { times, clock } = page;
  const [harvests, resets, stops] = ["harvest", "reset", "full ring until running again"] as const;
  if (times) {
    yield* table(
      [
        ["", "times", "median", "99 %", "longest"],
        timesRow(harvests, harvest),
        timesRow(resets, reset),
        timesRow(stops, fullStop),
      ],
      ["left", "right", "right", "right", "right"],
      "  ",
      { page, heads: 1 },
    );
    if (kernel.backend === "model") yield `  ${MODEL_TIMES}\n`;
    return;
  }
  const rows = [[harvests, harvest], [resets, reset], [stops, fullStop]] as const;
  yield* table(
    [["", "how often"], ...rows.map(([what, { count }]) => [what, `${count}`])],
    ["left", "right"],
    "  ",
    { page, heads: 1 },
  );
  const { count, p50Ns, p99Ns, maxNs } = fullStop;
  if (!clock || count === 0) return;
  yield `  that took ${timeText(p50Ns)} by the model's clock, median; 99 % ${timeText(p99Ns)}, ` +
    `longest ${timeText(maxNs)}\n`;
}

function* witnessText(
  { source, vcpus, walks, resets }: WitnessResult,
  page: Page,
): Generator<string> {
  const who = source === "model" ? "the model" : "KVM's tracepoints";
  yield `\n`;
  yield* table(
    [
      [`${who} counted`, "pushes", "entries", "ring-full", "seen", "dirty_index", "reset_index"],
      ...vcpus.map((one) => [
        ...[`vCPU ${one.vcpu}`, `${one.pushes}`, `${one.entries}`, numberText(one.ringFullExits)],
        ...[`${one.fullExits}`, `${one.dirtyIndex}`, `${one.resetIndex}`],
      ]),
    ],
    ["left", "right", "right", "right", "right", "right", "right"],
    "  ",
    { page, heads: 1 },
  );
  if (walks !== null) yield `  ${countText(walks, "ring walk")} in ${countText(resets, "reset")}\n`;
}

function timesRow(what: string, { count, p50Ns, p99Ns, maxNs }: Times): string[] {
  return [what, `${count}`, timeText(p50Ns), timeText(p99Ns), timeText(maxNs)];
}

function* verdict(result: LiveResult): Generator<string> {
  const { ok, lost, problems, spurious, duplicates } = result;
  if (!ok) {
    yield `FAILED: ${countText(lost.count, "lost page")}, ${
      problems.length === 0 ? "no other problem" : "with problems, see above"
    }\n`;
    return;
  }
  // After an interrupt, pages that nobody was to store to may be left unchecked.
  const pages = result.interrupted === null ? "every page" : "every page that was stored to";
  yield `ok: nothing lost: in the end ${pages} held what was last read of it${audits(result)}\n`;
  if (result.order !== null) {
    yield `    each of ${result.order.entries} entries came in the order of the stores\n`;
  }
  const legal = [
    ...(spurious.count === 0
      ? []
      : [`${countText(spurious.count, "page")} harvested without news (nothing new in them)`]),
    ...(duplicates === 0 ? [] : [countText(duplicates, "duplicate")]),
  ];
  if (legal.length > 0) yield `    ${legal.join(" and ")}: no failure\n`;
}

function audits({ audits, auditedPages }: LiveResult): string {
  if (audits < 2) return "";
  return `, and before that ${countText(auditedPages, "page")} in ${
    countText(audits - 1, "stop")
  } of all vCPUs`;
}
