/** What a check that neither failed nor was skipped says. */
export type CheckAnswer = string | Known | void;

/** A defect of the kernel that docs/abi.md names, and that was observed. */
export class Known {
  /** What was observed. */
  readonly detail: string;

  /**
   * Says what was observed.
   *
   * @param detail One line.
   */
  constructor(detail: string) {
    this.detail = detail;
  }
}

/** A statement that does not hold. */
export class CheckFailure extends Error {
  /** What was asked, in words. */
  readonly what: string;
  /** What is documented. */
  readonly expected: string;
  /** What was seen. */
  readonly seen: string;

  /**
   * Says what was expected and what was seen.
   *
   * @param what What was asked, in words.
   * @param expected What is documented.
   * @param seen What was seen.
   */
  constructor(what: string, expected: string, seen: string) {
    super(`${what}: expected ${expected}, seen ${seen}`);
    this.name = "CheckFailure";
    this.what = what;
    this.expected = expected;
    this.seen = seen;
  }
}

/** Options of `dirtyring check` without which some checks are not made. */
export type Permission = "allow-warn" | "allow-harm";

/** A statement that this host cannot show. */
export class CheckSkip extends Error {
  /**
   * Says why.
   *
   * @param reason What the host would need.
   */
  constructor(reason: string) {
    super(reason);
    this.name = "CheckSkip";
  }
}

/** A statement that this host can show, and that is not asked unless that is allowed. */
export class CheckWithheld extends CheckSkip {
  /** The option that allows it. */
  readonly permission: Permission;

  /**
   * Says why.
   *
   * @param reason What it would do to the kernel.
   * @param permission The option that allows it.
   */
  constructor(reason: string, permission: Permission) {
    super(`${reason}: only with --${permission}`);
    this.permission = permission;
  }
}
