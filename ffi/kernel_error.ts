import { errnoName, errnoText } from "./errno.ts";

/** What a {@linkcode KernelError} can say beyond the call and its errno. */
export interface KernelErrorOptions {
  /** What to do about it, in one clause. */
  readonly advice?: string;
}

/**
 * A kernel call that was needed and failed. The message names the call with its arguments, the
 * errno and, where known, what to do: `KVM_CREATE_VCPU(0): ENOMEM (out of memory)`.
 */
export class KernelError extends Error {
  /** The call with its arguments, `KVM_CREATE_VCPU(0)`. */
  readonly call: string;
  /** The errno, positive; 0 where the call worked and its answer was unexpected. */
  readonly errno: number;

  /**
   * Names a call that failed.
   *
   * @param call The call with its arguments.
   * @param answer What the call returned: minus an errno.
   * @param options What to do about it.
   */
  constructor(call: string, answer: number, options: KernelErrorOptions = {}) {
    const what = `${call}: ${errnoText(-answer)}`;
    super(options.advice === undefined ? what : `${what}; ${options.advice}`);
    this.name = "KernelError";
    this.call = call;
    this.errno = -answer;
  }

  /** The errno's name, `"EINVAL"`. */
  get errnoName(): string {
    return errnoName(this.errno);
  }
}

/**
 * Passes on what a call returned, or throws if it failed.
 *
 * @param answer What the call returned.
 * @param call The call with its arguments, for the error; a function where building it costs.
 * @param advice What to do about a failure.
 * @returns `answer`, zero or more.
 * @throws {KernelError} If `answer` is minus an errno.
 */
export function checked(answer: number, call: string | (() => string), advice?: string): number {
  if (answer >= 0) return answer;
  throw new KernelError(
    typeof call === "string" ? call : call(),
    answer,
    advice === undefined ? {} : { advice },
  );
}
