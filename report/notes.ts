// Lines that the text output of several commands has in common: kernel, lab, log, lost pages.

import type { CheckReport } from "../conformance/runner/check_report.ts";
import type { ResetRing } from "../drive/reset_pass.ts";
import type { KernelFacts } from "../host/facts.ts";
import type { InterruptSignal } from "../host/interrupt.ts";
import type { KernelLogFacts, KernelLogResult } from "../host/kernel_log.ts";
import type { LabResult } from "../machine/guest_vm.ts";
import type { KernelState } from "../machine/kernel_state.ts";
import type { LostCause, LostPages } from "../memory/witness.ts";
import { printable } from "../text/printable.ts";
import { type Page, PLAIN_PAGE } from "./page.ts";
import { countText, oneLine, sizeText, table } from "./table.ts";

/**
 * A note for a kernel's log that could not be read.
 *
 * @param log How far it was read; `null` if there is no log.
 * @returns A line without its end; `null` if it was read or there is none.
 */
export function unreadLogText(log: KernelLogFacts | null): string | null {
  if (log === null || log.read) return null;
  return `the kernel's log is not looked at: ${oneLine(log.why ?? "")}`;
}

/**
 * A note for a kernel's log of which a part was not read.
 *
 * @param log How far it was read; `null` if there is no log.
 * @returns A line without its end; `null` if all of it was read or there is none.
 */
export function lostLogText(log: KernelLogFacts | null): string | null {
  if (log === null || log.lost === 0) return null;
  const records = countText(log.lost, "record");
  return `the kernel's log: ${records} at least overwritten before they could be read`;
}

/**
 * The last lines of a result for people: what the kernel reported, or that its log could not be
 * read.
 *
 * @param log What the result knows of the log; `null` for a model, which has none.
 * @returns Lines with their ends.
 */
export function* kernelLogText(log: KernelLogResult | null): Generator<string> {
  for (const line of [unreadLogText(log), lostLogText(log)]) if (line !== null) yield `${line}\n`;
  for (const report of log?.reports ?? []) {
    yield "\n";
    yield "the kernel reported a problem:\n";
    for (const line of reportLines([report])) yield `  ${line}\n`;
  }
}

/**
 * Formats what the kernel reported.
 *
 * @param reports The first lines of each report.
 * @returns Lines without their ends, safe for a terminal.
 */
export function reportLines(reports: readonly (readonly string[])[]): string[] {
  return reports.flatMap((lines) => lines.map(oneLine));
}

/**
 * A note for a report that lacks checks.
 *
 * @returns A line without its end; `null` if no check is missing.
 */
export function incompleteText(report: CheckReport): string | null {
  const { complete, interrupted, planned, checks } = report;
  if (complete) return null;
  const all = planned.reduce((sum, one) => sum + one.checks, 0);
  const why = interrupted === null ? "ended early" : `interrupted by ${interrupted}`;
  return `incomplete: ${why} after ${checks.length} of ${all} checks`;
}

/** What is said beside times that a model took. */
export const MODEL_TIMES = "These are times of the model, in memory: no kernel's.";

/**
 * Notes that a reader of measured times needs.
 *
 * @param backend Which kernel answered.
 * @param emulated Whether KVM emulates the guest's stores.
 * @param understated What the emulation understates.
 * @returns Lines with their ends; none if the times are those of a processor and a kernel.
 */
export function* timesNote(
  backend: LabResult["kernel"]["backend"],
  emulated: boolean,
  understated: string,
): Generator<string> {
  if (backend === "model") yield `  ${MODEL_TIMES}\n`;
  if (!emulated) return;
  yield "  This KVM emulates the guest's stores: each pushes an entry, and there are no guest mappings\n" +
    `  to re-protect, which understates ${understated}.\n`;
}

/**
 * The note for a reader of counts where {@linkcode timesNote} is the one for a reader of times.
 *
 * @returns A line with its end; none if KVM does not emulate the guest's stores.
 */
export function* countsNote(emulated: boolean): Generator<string> {
  if (emulated) yield "  This KVM emulates the guest's stores: each pushes an entry.\n";
}

const SHOWN = 10;

const CAUSES: Readonly<Record<LostCause, string>> = {
  "ring overflow": "the ring overflowed",
  "signal during reset": "a signal ended the reset early, and a batch was lost",
  "read before reset":
    "it was read before its reset, not re-protected by it, or an entry for it is missing",
  "never harvested": "its entry was never pushed, or not harvested",
};

/**
 * Says how many pages were lost.
 *
 * @returns A line without its end.
 */
export function lostNote(lost: LostPages): string {
  return `LOST: ${countText(lost.count, "page")} hold${
    lost.count === 1 ? "s" : ""
  } a store that no ` +
    "entry announced";
}

/**
 * Says that a signal ended something early; nothing if none did.
 *
 * @param interrupted The signal, or `null`.
 * @param page Where it is written. A blank line goes before it, unless the page is quiet.
 * @returns Lines with their ends.
 */
export function* interruptedText(
  interrupted: InterruptSignal | null,
  { quiet }: Pick<Page, "quiet">,
): Generator<string> {
  if (interrupted === null) return;
  yield `${quiet ? "" : "\n"}interrupted by ${interrupted}: figures up to there\n`;
}

/**
 * Lists the pages that were lost; nothing if there are none.
 *
 * @returns Lines with their ends.
 */
export function* lostText(lost: LostPages): Generator<string> {
  if (lost.count === 0) return;
  yield `${lostNote(lost)}\n`;
  for (const { slot, offset, gfn, vcpu, counter, read, cause } of lost.pages.slice(0, SHOWN)) {
    const last = read === null ? "nothing was read there" : `${read} was read there last`;
    yield `  slot ${slot}, offset ${offset}, gfn 0x${
      gfn.toString(16)
    }: store ${counter} of vCPU ${vcpu}, ` +
      `${last}; most likely ${CAUSES[cause]}\n`;
  }
  const left = lost.count - Math.min(SHOWN, lost.pages.length);
  if (left > 0) yield `  and ${left} more (--format json lists up to 100)\n`;
}

/**
 * Names the kernel that answered.
 *
 * @returns A line without its end.
 */
export function kernelLine(kernel: KernelFacts): string {
  if (kernel.model !== null) return `kernel  ${modelText(kernel.model)}`;
  const module = kernel.module === null ? "no KVM module known" : printable(kernel.module);
  return `kernel  Linux ${printable(kernel.release)}, ${module}`;
}

// Words for a model such as "v6.17+pml".
function modelText(model: string): string {
  const [version, ...traits] = model.split("+");
  const words = traits.map((one) => one === "pml" ? ", with PML" : ", real mode emulated");
  return `model of Linux ${printable(version ?? "")}, in memory${words.join("")}`;
}

/**
 * Formats the head of a lab's result: the kernel and the lab.
 *
 * @returns Lines with their ends; none if the page has no head.
 */
export function* labHead(
  result: LabResult,
  { header }: Pick<Page, "header"> = PLAIN_PAGE,
): Generator<string> {
  if (!header) return;
  const { lab, kernel } = result;
  yield `${kernelLine(kernel)}\n`;
  yield `lab     ${lab.guest} guest, ${countText(lab.vcpus, "vCPU")}, ${sizeText(lab.memory)} in ` +
    `${countText(lab.slots, "slot")}, rings of ${lab.ring} entries\n`;
  yield `        ${printable(lab.pattern)}, ${countText(lab.pages, "store")} a round, ` +
    `${countText(lab.rounds, "round")}, seed ${lab.seed}\n`;
}

/**
 * Formats the kernel's own state of a ring.
 *
 * @returns A line without its end.
 */
export function kernelStateLine(state: KernelState): string {
  return `kernel: dirty_index ${state.dirtyIndex}, reset_index ${state.resetIndex}, ` +
    `size ${state.size}, soft limit ${softLimitText(state)}`;
}

/**
 * Formats the kernel's own state of rings before and after a pass; nothing if it was not asked for.
 *
 * @param page Where it is written.
 * @returns Lines with their ends.
 */
export function* kernelStateText(
  rings: readonly ResetRing[],
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const rows = rings.flatMap(({ vcpu, kernelState }) =>
    kernelState === null ? [] : [
      [`vCPU ${vcpu} before`, ...cells(kernelState.before)],
      [`vCPU ${vcpu} after`, ...cells(kernelState.after)],
    ]
  );
  if (rows.length === 0) return;
  yield* table(
    [["kernel", "dirty_index", "reset_index", "size", "soft limit"], ...rows],
    ["left", "right", "right", "right", "right"],
    "",
    { page, heads: 1 },
  );
}

function cells(state: KernelState): string[] {
  const { dirtyIndex, resetIndex, size } = state;
  return [`${dirtyIndex}`, `${resetIndex}`, `${size}`, softLimitText(state)];
}

function softLimitText({ softLimit, softLimitInferred }: KernelState): string {
  if (softLimit === null) return "unknown";
  return softLimitInferred ? `${softLimit} (inferred)` : `${softLimit}`;
}
