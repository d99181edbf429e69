import { errnoName, errnoText } from "./errno.ts";
import { type Limit, worded, WordedError, type Wording } from "./host_error.ts";

/** What a {@linkcode KernelError} can say beyond the call and its errno. */
export interface KernelErrorOptions {
  /** What to do about it, in one clause. */
  readonly advice?: string | Wording;
  /** The values that were asked for and not taken, by name: `{ ring: 100 }`. */
  readonly asked?: Readonly<Record<string, number>>;
  /** What would have been taken, where numbers say it. */
  readonly limit?: Limit;
}

/**
 * A kernel call that was needed and failed. The message names the call with its arguments, the
 * errno and, where known, what to do: `KVM_CREATE_VCPU(0): ENOMEM (out of memory)`.
 */
export class KernelError extends WordedError {
  readonly #call: string | Wording;
  /** The call with its arguments, `KVM_CREATE_VCPU(0)`. */
  readonly call: string;
  /** The errno, positive; 0 where the call worked and its answer was unexpected. */
  readonly errno: number;
  /** What to do about it; `null` where that is not known. */
  readonly advice: string | null;
  /** The values that were asked for and not taken, by name; empty where the call alone says it. */
  readonly asked: Readonly<Record<string, number>>;
  /** What would have been taken; `null` where numbers do not say it, or it is not known. */
  readonly limit: Limit | null;

  /**
   * Names a call that failed.
   *
   * @param call The call with its arguments.
   * @param answer What the call returned: minus an errno.
   * @param options What to do about it.
   */
  constructor(call: string | Wording, answer: number, options: KernelErrorOptions = {}) {
    const { advice } = options;
    super((name) => {
      const what = `${worded(call, name)}: ${errnoText(-answer)}`;
      return advice === undefined ? what : `${what}; ${worded(advice, name)}`;
    });
    this.name = "KernelError";
    this.#call = call;
    this.call = worded(call);
    this.errno = -answer;
    this.advice = advice === undefined ? null : worded(advice);
    this.asked = options.asked ?? {};
    this.limit = options.limit ?? null;
  }

  /**
   * The same failure, and what to do about it.
   *
   * @param advice What to do, in one clause.
   * @returns An error of its own.
   */
  advising(advice: string): KernelError {
    return new KernelError(this.#call, -this.errno, { advice });
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
export function checked(
  answer: number,
  call: string | (() => string),
  advice?: string | Wording,
): number {
  if (answer >= 0) return answer;
  throw new KernelError(
    typeof call === "string" ? call : call(),
    answer,
    advice === undefined ? {} : { advice },
  );
}
