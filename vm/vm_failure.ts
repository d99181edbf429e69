/** A machine that did not come to an answer: its kernel did not boot, panicked, hung, or ran out of time. */
export class VmFailure extends Error {
  /** The last lines of its console. */
  readonly console: readonly string[];

  /**
   * Says what happened.
   *
   * @param what One line.
   * @param console The last lines of its console.
   */
  constructor(what: string, console: readonly string[]) {
    super(what);
    this.name = "VmFailure";
    this.console = console;
  }
}
