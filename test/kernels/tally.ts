// Counts the runs of `.ci/run` on real kernels.

/** Counts runs, and prints the outcome of each. */
export class Tally {
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #say: (line: string) => void;

  /** Begins at 0. */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Counts a run, which passed if there is no problem. */
  count(what: string, problem: string | null): void {
    this.#counts[problem === null ? "passed" : "failed"]++;
    this.#say(problem === null ? `${what} ... ok` : `${what} ... FAILED: ${problem}`);
  }

  /** Counts runs that cannot be made here. */
  skip(runs: number): void {
    this.#counts.skipped += runs;
  }

  /** Whether no run failed. */
  get ok(): boolean {
    return this.#counts.failed === 0;
  }

  /** The closing line, which `.ci/run` reads. */
  get text(): string {
    const { passed, failed, skipped } = this.#counts;
    return `kernels: ${passed} passed, ${failed} failed, ${skipped} skipped`;
  }
}
