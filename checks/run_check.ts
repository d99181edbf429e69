import { ERRNO } from "../ffi/errno.ts";
import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import type { GroupedCheck } from "./all_checks.ts";
import { type CheckAnswer, CheckFailure, CheckSkip, CheckWithheld, Known } from "./check_answer.ts";
import { CheckHost, type CheckOptions } from "./check_host.ts";
import { type CheckResult, checkResult, type CheckRun } from "./check_result.ts";

type Verdict = Omit<CheckRun, "ms">;

const NEEDS_MODEL =
  "only the model can show it: a real kernel hides it, is of another version, or could be harmed";

/** What no kernel causes: the errors of a program that is wrong. */
const DEFECTS = [TypeError, RangeError, ReferenceError];

/**
 * Makes a check, in this process, with a host of its own.
 *
 * @param check The check.
 * @param kernel The kernel that answers.
 * @param options How it is to be made.
 * @returns What it came to.
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
