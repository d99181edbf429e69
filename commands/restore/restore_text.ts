import { kernelLine } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, oneLine, table } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import { machineText } from "../checkpoint/checkpoint_text.ts";
import type { RestoreCheck, RestoreResult } from "./restore_result.ts";

/** How many pages are shown one by one. */
const SHOWN = 10;

const WHEN: Readonly<Record<RestoreCheck["when"], string>> = {
  restored: "as restored",
  "pass finished": "each pass finished",
  "another pass": "another pass made",
};

/**
 * Formats the result of `dirtyring restore` for people.
 *
 * @param page Where it is written. What is quiet tells what did not hold, and the verdict.
 * @returns Lines with their ends.
 */
export function* restoreText(
  result: RestoreResult,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const { checks, interrupted, error } = result;
  if (page.header) yield* headText(result);
  if (!page.quiet) yield* checksText(checks, page);
  const blank = page.quiet ? "" : "\n";
  if (interrupted !== null) yield `${blank}interrupted by ${interrupted}\n`;
  if (error !== null) yield `${blank}ended early: ${oneLine(error)}\n`;
  yield blank;
  for (const problem of result.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  for (const check of checks) yield* wrongText(check);
  yield `${verdict(result)}\n`;
}

function* headText(result: RestoreResult): Generator<string> {
  const { kernel, lab, from } = result;
  yield `${kernelLine(kernel)}\n`;
  yield* machineText(lab, kernel.backend === "model", result.tracking);
  yield `from    ${printable(result.folder)}, epoch ${result.epoch}: ${
    countText(result.files, "file")
  }, ${countText(result.pages, "page")}; made on ${
    from.model === null ? `Linux ${printable(from.release)}` : `a model, ${printable(from.model)}`
  }\n`;
  for (const { file, reason } of result.skipped.slice(0, SHOWN)) {
    yield `        not used: ${printable(file)}, ${oneLine(reason)}\n`;
  }
  const more = result.skipped.length - SHOWN;
  if (more > 0) yield `        and ${more} more\n`;
  if (result.withoutIopl > 0) {
    yield `        ${
      countText(result.withoutIopl, "vCPU was", "vCPUs were")
    } saved without IOPL, as kvm_pvm answers KVM_GET_REGS; restored with it\n`;
  }
  yield "\n";
}

function checksText(checks: readonly RestoreCheck[], page: Page): Generator<string> {
  return table(
    [
      ["", "stores so far", "wrong pages"],
      ...checks.map(({ when, stores, wrong }) => [WHEN[when], `${stores}`, `${wrong.count}`]),
    ],
    ["left", "right", "right"],
    "  ",
    { page, heads: 1 },
  );
}

function* wrongText({ when, wrong: { count, pages } }: RestoreCheck): Generator<string> {
  if (count === 0) return;
  yield `WRONG: ${countText(count, "page")}, ${WHEN[when]}\n`;
  for (const { slot, offset, gfn, found, expected } of pages.slice(0, SHOWN)) {
    const what = expected === null
      ? `it holds more than the counter ${found}`
      : `counter ${found}, expected ${expected}`;
    yield `  slot ${slot}, offset ${offset}, gfn 0x${gfn.toString(16)}: ${what}\n`;
  }
  const more = count - Math.min(SHOWN, pages.length);
  if (more > 0) yield `  and ${more} more (--format json lists up to 100)\n`;
}

function verdict({ ok, checks, vcpus, epoch, error, interrupted }: RestoreResult): string {
  if (!ok) return "FAILED: the machine does not go on where it was";
  if (error !== null || interrupted !== null || checks.length < 3) {
    return "not checked to the end";
  }
  const made = vcpus.reduce((sum, one) => sum + one.storesAfter - one.storesBefore, 0);
  return `ok: epoch ${epoch} restored, memory and registers agree, and ${
    countText(made, "store")
  } went on without a step lost`;
}
