import type { CheckHost } from "./check_host.ts";

/** The groups of docs/abi.md, in its order. */
export type Group =
  | "enabling"
  | "mapping"
  | "entry"
  | "pushing"
  | "harvesting"
  | "resetting"
  | "full"
  | "slots"
  | "coalescing";

/** A statement of docs/abi.md, and the function that asks a kernel whether it holds. */
export interface Check {
  /** The statement's id. */
  readonly id: string;
  /** The statement in a line. */
  readonly statement: string;
  /** Where the kernel promises it: one of {@linkcode import("./sources.ts")}. */
  readonly source: string;
  /** Whether a real kernel can be asked, or only a kernel in memory. */
  readonly where: "live" | "model";
  /** Whether the kernel warns where the statement is shown: its WARN_ON() is then no failure. */
  readonly warns?: true;
  /**
   * Asks the kernel.
   *
   * @param host The kernel and what is known of it; machines made with it are disposed afterwards.
   * @returns Nothing, or what is worth saying of a statement that holds, or a {@linkcode Known} defect.
   * @throws {CheckFailure} Where the statement does not hold.
   * @throws {CheckSkip} Where this host cannot show it.
   */
  run(host: CheckHost): CheckAnswer | Promise<CheckAnswer>;
}

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
