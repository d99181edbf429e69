// What `.ci/run` counts of real kernels.

/** Counts runs, and says what each came to. */
export class Tally {
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #say: (line: string) => void;

  /** Begins with none. */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** A run on a kernel: it passed, or failed for a reason. */
  count(what: string, problem: string | null): void {
    this.#counts[problem === null ? "passed" : "failed"]++;
    this.#say(problem === null ? `${what} ... ok` : `${what} ... FAILED: ${problem}`);
  }

  /** Runs that cannot be made here. */
  skip(runs: number): void {
    this.#counts.skipped += runs;
  }

  /** Whether none failed. */
  get ok(): boolean {
    return this.#counts.failed === 0;
  }

  /** The closing line, which `.ci/run` reads. */
  get text(): string {
    const { passed, failed, skipped } = this.#counts;
    return `kernels: ${passed} passed, ${failed} failed, ${skipped} skipped`;
  }
}
