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

/** What no kernel causes: the errors of a program that is wrong. */
const DEFECTS = [TypeError, RangeError, ReferenceError];

/**
 * Makes a check, in this process, with a host of its own.
 *
 * @param options How it is to be made.
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
    // What cannot be given back is a failure too.
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

// It says something of this process, and nothing about the statement.
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

/** What is asked for in place of a check's id: how fast this host is. */
export const PACE = "pace";

/** A child's side: what it is asked, what it answers, and how it finds out. */
export interface Service {
  /** The ids that it is asked for, a line each, or {@linkcode PACE}; their end is the child's. */
  readonly ids: AsyncIterable<string>;
  /** Writes a line for the parent, at once. */
  write(line: string): void;
  /**
   * Measures the host.
   *
   * @throws {HostError} Where the host cannot be used at all.
   */
  pace(): Promise<Pace>;
  /**
   * Makes a check.
   *
   * @throws {HostError} Where the host cannot be used at all.
   * @throws {KernelError} Where no file descriptor is left.
   */
  run(id: string): Promise<CheckRun>;
}

/**
 * Makes checks for a parent, one at a time, as it asks for them. Whoever asks has nothing to fear of
 * them: a check that ends this process ends itself alone.
 *
 * @param service What is asked, and how it is answered.
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
        // A kernel that cannot be measured is for the checks to tell of.
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
 * A line that a child writes: it has begun, has measured the host (or could not), a check has ended, this host
 * cannot be used at all, or a call found no file descriptor left, which says nothing about what was checked.
 */
export type ChildLine =
  | { readonly kind: "ready" }
  | { readonly kind: "pace"; readonly pace: Pace | null }
  | { readonly kind: "run"; readonly id: string; readonly run: CheckRun }
  | { readonly kind: "unusable"; readonly what: string; readonly advice: string }
  | { readonly kind: "exhausted"; readonly call: string; readonly errno: number };

const KINDS: readonly unknown[] = ["ready", "pace", "run", "unusable", "exhausted"];

/**
 * Reads a line of a child.
 *
 * @param text The line.
 * @returns What it says, or `null` where it is none of a child's: something else was printed.
 */
export function parseChildLine(text: string): ChildLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("kind" in value)) return null;
    // Parent and child are of one version, so that the kind says the rest.
    return KINDS.includes(value.kind) ? value as ChildLine : null;
  } catch {
    return null;
  }
}

/**
 * The lines of a stream of bytes, without their ends; what stands behind the last end is no line.
 *
 * @returns Its lines, as they come.
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
