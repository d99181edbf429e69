/**
 * This host cannot do what was asked, whatever the command line says: no `/dev/kvm`, no permission,
 * no dirty ring, another processor. What kselftest calls a skip.
 */
export class HostError extends Error {
  /** What is missing, without the advice. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;

  /**
   * Says what is missing and what to do.
   *
   * @param what What was tried and what the system answered.
   * @param advice What to do about it.
   */
  constructor(what: string, advice: string) {
    super(`${what}; ${advice}`);
    this.name = "HostError";
    this.what = what;
    this.advice = advice;
  }
}
