/**
 * The command line, a file, or a value in one is wrong, or above a limit that the kernel reports. The
 * message names the value, says what was expected, and where it can, what to do.
 */
export class UsageError extends Error {
  /**
   * Says what is wrong.
   *
   * @param message One line.
   */
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
