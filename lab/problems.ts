/** Problems beyond this number are counted and not described. */
const LISTED = 20;

/** What did not hold, in words: the first twenty, and how many more there are. */
export class Problems {
  readonly #listed: string[] = [];
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Them in words. */
  get list(): readonly string[] {
    const more = this.#count - this.#listed.length;
    return more === 0 ? this.#listed : [...this.#listed, `and ${more} more of the kind`];
  }

  /**
   * Adds one.
   *
   * @param text What did not hold.
   */
  add(text: string): void {
    if (this.#count++ < LISTED) this.#listed.push(text);
  }
}
