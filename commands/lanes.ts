/** Lets so many pieces of work run beside each other; others wait for their turn. */
export class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /**
   * Opens lanes.
   *
   * @param count How many.
   */
  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Does a piece of work when a lane is free.
   *
   * @param work The work.
   * @returns What it comes to.
   */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
