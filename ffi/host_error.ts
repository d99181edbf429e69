/** How a value that was asked for is called where an error is shown: `ring` by itself, `--ring` on a command line. */
export type Naming = (value: string) => string;

/** A text that names values: what it says when they are called so. */
export type Wording = (name: Naming) => string;

/** The numbers of a value that would have been taken; what stands for itself has no bound there. */
export interface Limit {
  /** The smallest. */
  readonly least?: number;
  /** The largest. */
  readonly most?: number;
}

/** An error that may name values: its message calls them as they are called here, a command line by its options. */
export class WordedError extends Error {
  readonly #wording: string | Wording;

  /**
   * Says what is wrong.
   *
   * @param wording One line.
   */
  constructor(wording: string | Wording) {
    super(worded(wording));
    this.#wording = wording;
  }

  /**
   * What the message says where values have other names.
   *
   * @param name How a value is called.
   * @returns One line.
   */
  said(name: Naming): string {
    return worded(this.#wording, name);
  }
}

/**
 * What a text says.
 *
 * @param wording The text, or what makes it.
 * @param name How a value is called; by itself unless given.
 * @returns One line.
 */
export function worded(wording: string | Wording, name: Naming = (value) => value): string {
  return typeof wording === "string" ? wording : wording(name);
}

/**
 * This host cannot do what was asked, whatever the command line says: no `/dev/kvm`, no permission,
 * no dirty ring, another processor. What kselftest calls a skip.
 */
export class HostError extends WordedError {
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
  constructor(what: string | Wording, advice: string) {
    super((name) => `${worded(what, name)}; ${advice}`);
    this.name = "HostError";
    this.what = worded(what);
    this.advice = advice;
  }
}
