import { type Limit, WordedError, type Wording } from "../ffi/host_error.ts";

/**
 * The command line, a file, or a value in one is wrong, or above a limit that the kernel reports. The
 * message names the value, says what was expected, and where it can, what to do.
 */
export class UsageError extends WordedError {
  /**
   * Says what is wrong.
   *
   * @param wording One line.
   */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "UsageError";
  }
}

/** A value that does not fit: by itself, beside another, or on this kernel. */
export class ValueError extends UsageError {
  /** What was asked for, by name: `{ gap: 300 }`; sizes are in bytes. */
  readonly asked: Readonly<Record<string, number | string>>;
  /** What would have been taken of the first of them; `null` where numbers do not say it. */
  readonly limit: Limit | null;

  /**
   * Says what does not fit.
   *
   * @param asked What was asked for, by name.
   * @param wording One line.
   * @param limit What would have been taken.
   */
  constructor(
    asked: Readonly<Record<string, number | string>>,
    wording: Wording,
    limit: Limit | null = null,
  ) {
    super(wording);
    this.name = "ValueError";
    this.asked = asked;
    this.limit = limit;
  }
}
