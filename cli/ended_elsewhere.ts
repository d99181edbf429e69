/** A command that ended in a machine without a result: it said why there, and this is its exit status. */
export class EndedElsewhere extends Error {
  /** The status. */
  readonly status: number;

  /**
   * Takes the status over.
   *
   * @param status The status.
   */
  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}
