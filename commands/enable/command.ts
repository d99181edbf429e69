import { type Command, defineCommand, json, now } from "../../cli/command.ts";
import { choice, flag, ringSize } from "../../cli/option.ts";
import { kernelLine } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, PAGE_BYTES, sizeText, table } from "../../report/table.ts";
import { backendOptions } from "../lab_options.ts";
import { enable, type EnableResult } from "./enable.ts";

/** `dirtyring enable` */
export const command: Command = defineCommand({
  name: "enable",
  summary: "enable the ring on a fresh VM and show what the kernel answered",
  details:
    "With --matrix every documented case of discovering and enabling is put to the kernel, " +
    "each on a fresh VM; an answer that differs is marked, and the exit status is 1.",
  options: {
    ...backendOptions(),
    ring: ringSize("size of the ring in entries; with a unit (64KiB) in bytes", 4096),
    matrix: flag("ask every case of the enabling statements"),
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["ring", "matrix"],
  examples: [
    ["dirtyring enable --ring 65536", "the largest ring: what does it cover?"],
    ["dirtyring enable --matrix", "does this kernel answer as documented?"],
  ],
  formats: { text: now(enableText), json },
  run: async (options, context) =>
    enable(await context.openKernel(options), options.ring, options.matrix),
  status: (result) => result.cases?.some((one) => !one.ok) ? 1 : 0,
});

/**
 * Formats the result of `dirtyring enable` for people.
 *
 * @returns Lines with their ends.
 */
export function* enableText(
  { kernel, ring, cases }: EnableResult,
  _options: unknown = null,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  if (page.header) yield `${kernelLine(kernel)}\n`;
  if (!page.quiet) yield* ringText(ring, page);
  if (cases !== undefined) yield* casesText(cases, page);
}

function ringText(ring: EnableResult["ring"], page: Page): Generator<string> {
  const rows = [
    ["enabled", `${ring.entries} entries, ${ring.bytes} bytes`],
    ["reserved", `${ring.reserved ?? "unknown"} entries (inferred: the kernel does not tell)`],
    ["soft limit", `${ring.softLimit ?? "unknown"} entries (inferred): a vCPU stops there`],
    [
      "covers",
      `${sizeText((ring.softLimit ?? ring.entries) * PAGE_BYTES)} of dirty memory when full`,
    ],
  ];
  return table(rows, ["left", "prose"], "", { page });
}

function* casesText(
  cases: Cases,
  page: Page,
): Generator<string> {
  const shown = page.onlyFailures ? cases.filter(({ ok }) => !ok) : cases;
  if (!page.quiet) yield "\n";
  if (shown.length > 0) {
    yield* page.columns !== null && page.columns < WIDE
      ? narrowTable(shown, page)
      : wideTable(shown, page);
  }
  const differ = cases.filter((one) => !one.ok).length;
  yield `${shown.length > 0 ? "\n" : ""}${countText(cases.length, "case")}, ${
    differ === 0 ? "all as documented" : page.ink.bad(`${differ} not as documented (!)`)
  }\n`;
}

type Cases = NonNullable<EnableResult["cases"]>;

/** The columns that a table of requests and answers needs. */
const WIDE = 135;

// Answers alone; of a case that is not as documented the rest is below.
function* narrowTable(cases: Cases, page: Page): Generator<string> {
  const rows = cases.flatMap(({ ok, id, name, request, result, errno, expected }) => {
    const row = [ok ? "" : page.ink.bad("!"), id, name, errno ?? `${result}`];
    return ok ? [row] : [row, ["", "", `documented: ${expected}`, ""], ["", "", request, ""]];
  });
  const head = ["", "statement", "case", "answer"];
  const aligns = ["left", "left", "prose", "right"] as const;
  yield* table([head, ...rows], aligns, "", { page, heads: 1, keys: 2 });
}

function* wideTable(cases: Cases, page: Page): Generator<string> {
  yield* table(
    [
      ["", "statement", "case", "request", "answer", "documented"],
      ...cases.map(({ ok, id, name, request, result, errno, expected }) => [
        ok ? "" : page.ink.bad("!"),
        id,
        name,
        request,
        errno ?? `${result}`,
        expected,
      ]),
    ],
    ["left", "left", "left", "left", "right", "right"],
    "",
    { page, heads: 1 },
  );
}
