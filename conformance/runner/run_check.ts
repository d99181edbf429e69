// The child's side of `dirtyring check`: runs one check, and serves a parent that asks for checks
// line by line.
import { ERRNO, HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { type CheckResult, checkResult, type CheckRun } from "../kit/check.ts";
import { CheckHost, type CheckOptions } from "../kit/check_host.ts";
import { type CheckAnswer, CheckFailure, CheckSkip, CheckWithheld, Known } from "../kit/expect.ts";
import type { Pace } from "../kit/pace.ts";
import type { GroupedCheck } from "../statements/all_checks.ts";

type Verdict = Omit<CheckRun, "ms">;

const NEEDS_MODEL =
  "only the model can show it: a real kernel hides it, is of another version, or could be harmed";

/** Errors that no kernel causes: they are bugs of this program. */
const DEFECTS = [TypeError, RangeError, ReferenceError];

/**
 * Runs a check in this process, with a host of its own.
 *
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where no file descriptor is left.
 */
export async function runCheck(
  check: GroupedCheck,
  kernel: Kernel,
  options: CheckOptions,
): Promise<CheckResult> {
  const began = performance.now();
  const verdict = check.where === "model" && kernel.insight === null
    ? skipped(NEEDS_MODEL)
    : await ask(check, kernel, options);
  const ms = Math.round((performance.now() - began) * 1000) / 1000;
  return checkResult(check, { ...verdict, ms });
}

async function ask(check: GroupedCheck, kernel: Kernel, options: CheckOptions): Promise<Verdict> {
  let host: CheckHost;
  try {
    host = new CheckHost(kernel, options);
  } catch (error) {
    if (error instanceof HostError || isExhausted(error)) throw error;
    return failed(error);
  }
  try {
    // An error while the host is disposed is a failure of the check, too.
    using _ = host;
    return answered(await check.run(host));
  } catch (error) {
    if (error instanceof CheckWithheld) {
      return { ...skipped(error.message), withheld: error.permission };
    }
    if (isExhausted(error)) throw error;
    return error instanceof CheckSkip ? skipped(error.message) : failed(error);
  }
}

// The process is out of file descriptors. That says nothing about the statement.
function isExhausted(error: unknown): boolean {
  if (!(error instanceof KernelError)) return false;
  return error.errno === ERRNO.EMFILE || error.errno === ERRNO.ENFILE;
}

function answered(answer: CheckAnswer): Verdict {
  if (answer instanceof Known) return verdict("known", answer.detail);
  return verdict("pass", answer ?? null);
}

function skipped(reason: string): Verdict {
  return verdict("skip", reason);
}

function failed(error: unknown): Verdict {
  if (DEFECTS.some((kind) => error instanceof kind)) {
    return { ...verdict("fail", `a defect of dirtyring: ${error}`), defect: true };
  }
  if (!(error instanceof CheckFailure)) return verdict("fail", String(error));
  const { what, expected, seen } = error;
  return { ...verdict("fail", what), expected, seen };
}

function verdict(status: CheckRun["status"], detail: string | null): Verdict {
  const nothing = { expected: null, seen: null, withheld: null, defect: false, reports: [] };
  return { status, detail, ...nothing };
}

/** Asked for in place of a check's id: measure the speed of this host. */
export const PACE = "pace";

/**
 * What {@linkcode serveChecks} needs: the requests, a way to answer, and the code that does the
 * work.
 */
export interface Service {
  /** The requests, a check's id or {@linkcode PACE} each. The child ends when they end. */
  readonly ids: AsyncIterable<string>;
  /** Writes a line to the parent, unbuffered. */
  write(line: string): void;
  /**
   * Measures the speed of this host.
   *
   * @throws {HostError} Where the host cannot be used at all.
   */
  pace(): Promise<Pace>;
  /**
   * Runs a check.
   *
   * @throws {HostError} Where the host cannot be used at all.
   * @throws {KernelError} Where no file descriptor is left.
   */
  run(id: string): Promise<CheckRun>;
}

/**
 * Runs checks for a parent process, one at a time, as it asks for them. A check that crashes or
 * hangs takes down only this child, never the parent.
 */
export async function serveChecks(service: Service): Promise<void> {
  const write = (line: ChildLine) => service.write(`${JSON.stringify(line)}\n`);
  write({ kind: "ready" });
  for await (const id of service.ids) {
    try {
      if (id === PACE) write({ kind: "pace", pace: await service.pace() });
      else write({ kind: "run", id, run: await service.run(id) });
    } catch (error) {
      if (id === PACE && !(error instanceof HostError)) {
        // Not an error here: whatever is wrong with this kernel, a check will report it.
        write({ kind: "pace", pace: null });
        continue;
      }
      if (error instanceof KernelError) {
        write({ kind: "exhausted", call: error.call, errno: error.errno });
        return;
      }
      if (!(error instanceof HostError)) throw error;
      write({ kind: "unusable", what: error.what, advice: error.advice });
      return;
    }
  }
}

/**
 * A line that a child writes. `ready`: the child has started. `pace`: the speed of the host, `null`
 * where it could not be measured. `run`: a check has ended. `unusable`: this host cannot be used at
 * all. `exhausted`: no file descriptor is left, which says nothing about the statement checked.
 */
export type ChildLine =
  | { readonly kind: "ready" }
  | { readonly kind: "pace"; readonly pace: Pace | null }
  | { readonly kind: "run"; readonly id: string; readonly run: CheckRun }
  | { readonly kind: "unusable"; readonly what: string; readonly advice: string }
  | { readonly kind: "exhausted"; readonly call: string; readonly errno: number };

const KINDS: readonly unknown[] = ["ready", "pace", "run", "unusable", "exhausted"];

/**
 * Parses a line that a child wrote.
 *
 * @returns The message, or `null` where the line is other output.
 */
export function parseChildLine(text: string): ChildLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("kind" in value)) return null;
    // Parent and child are the same version, so the kind determines the other fields.
    return KINDS.includes(value.kind) ? value as ChildLine : null;
  } catch {
    return null;
  }
}

/**
 * The lines of a stream of bytes, without their line ends. Text after the last line end is dropped.
 */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
