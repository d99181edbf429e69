// How to see again what did not hold: the command line, and the same in the kernel's own tracing.
import type { KernelFacts } from "../host/facts.ts";
import type { LostPage, LostPages } from "../memory/witness.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Page } from "./page.ts";

/** KVM's tracepoints of the dirty ring (include/trace/events/kvm.h). */
const EVENTS = ["kvm_dirty_ring_push", "kvm_dirty_ring_reset", "kvm_dirty_ring_exit"] as const;

/** What bpftrace(8) prints for each push: the fields of `kvm_dirty_ring_push`. */
const PRINT = 'printf("%d push slot %d offset %llx dirty_index %u reset_index %u\\n", ' +
  "tid, args->slot, args->offset, args->dirty_index, args->reset_index);";

/**
 * A command line as a shell takes it.
 *
 * @example
 * ```ts
 * import { shellLine } from "./again.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(shellLine(["dirtyring", "check", "--only", "it's.*"]), "dirtyring check --only 'it'\\''s.*'");
 * ```
 */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

/** The part of a result that names lost pages. */
export interface Loss {
  /** Which kernel answered. */
  readonly kernel: KernelFacts;
  /** The lost pages, one at least. */
  readonly lost: LostPages;
}

/**
 * How to see again that pages were lost, and the pushes of the first of them.
 *
 * @returns Lines with their ends.
 */
export function lostAgainText({ kernel, lost }: Loss, { commandLine }: Page): Generator<string> {
  const isTraceable = kernel.backend === "kvm" && !asksMachine(commandLine);
  return againText({ commandLine, isTraceable, page: lost.pages[0] });
}

/** Whether a command line asks the kernel of `--kernel`, which this host's tools do not see. */
export function asksMachine(commandLine: readonly string[]): boolean {
  return commandLine.some((word) => /^--kernel(=|$)/.test(word));
}

/** What is to be seen again. */
export interface Again {
  /** The command line that shows it. */
  readonly commandLine: readonly string[];
  /** Whether a real kernel of this host answered: only then there is something to trace. */
  readonly isTraceable: boolean;
  /** A page that the pushes are narrowed down to, if there is one. */
  readonly page?: Pick<LostPage, "slot" | "offset"> | undefined;
}

/**
 * The command that shows something again, and what shows the same with trace-cmd(1) and bpftrace(8):
 * each push, and each reset, as the kernel tells them.
 *
 * @returns Lines with their ends.
 */
export function* againText({ commandLine, isTraceable, page }: Again): Generator<string> {
  const line = shellLine(commandLine);
  yield `again:     ${line}\n`;
  if (!isTraceable) return;
  const filter = page === undefined
    ? ""
    : ` -f ${shellLine([`slot == ${page.slot} && offset == ${page.offset}`])}`;
  const events = EVENTS.map((name, n) => `-e kvm:${name}${n === 0 ? filter : ""}`);
  yield `trace-cmd: trace-cmd record ${events.join(" ")} ${line}\n`;
  const only = page === undefined
    ? ""
    : ` /args->slot == ${page.slot} && args->offset == ${page.offset}/`;
  const script = `tracepoint:kvm:${EVENTS[0]}${only} { ${PRINT} }`;
  yield `bpftrace:  ${shellLine(["bpftrace", "-e", script, "-c", line])}\n`;
}
