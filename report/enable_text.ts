import type { EnableResult } from "../checks/enable.ts";
import { kernelLine } from "./lab_text.ts";
import { table } from "./table.ts";
import { countText, PAGE_BYTES, sizeText } from "./units.ts";

/**
 * `dirtyring enable` for people.
 *
 * @param result The result.
 * @returns Lines with their ends.
 */
export function* enableText({ kernel, ring, cases }: EnableResult): Generator<string> {
  yield `${kernelLine(kernel)}\n`;
  yield* table([
    ["enabled", `${ring.entries} entries, ${ring.bytes} bytes`],
    ["reserved", `${ring.reserved ?? "unknown"} entries (inferred: the kernel does not tell)`],
    ["soft limit", `${ring.softLimit ?? "unknown"} entries (inferred): a vCPU stops there`],
    [
      "covers",
      `${sizeText((ring.softLimit ?? ring.entries) * PAGE_BYTES)} of dirty memory when full`,
    ],
  ], ["left", "left"]);
  if (cases === undefined) return;
  yield "\n";
  yield* table(
    [
      ["", "statement", "case", "request", "answer", "documented"],
      ...cases.map(({ ok, id, name, request, result, errno, expected }) => [
        ok ? "" : "!",
        id,
        name,
        request,
        errno ?? `${result}`,
        expected,
      ]),
    ],
    ["left", "left", "left", "left", "right", "right"],
  );
  const differ = cases.filter((one) => !one.ok).length;
  yield `\n${countText(cases.length, "case")}, ${
    differ === 0 ? "all as documented" : `${differ} not as documented (!)`
  }\n`;
}
