/** Hands things out in their order, each as soon as all before it are there. */
export class InOrder<Thing> {
  readonly #order: string[];
  readonly #give: (thing: Thing) => void;
  readonly #held = new Map<string, Promise<Thing | null>>();
  #next = 0;
  #pumping: Promise<void> = Promise.resolve();

  /**
   * Begins with none.
   *
   * @param order Their ids; one that is not among them comes after all others.
   * @param give Takes each in its turn.
   */
  constructor(order: readonly string[], give: (thing: Thing) => void) {
    this.#order = [...order];
    this.#give = give;
  }

  /**
   * Adds one.
   *
   * @param id Its id.
   * @param thing The thing, once it is known; `null` where it comes to nothing.
   */
  add(id: string, thing: Promise<Thing | null>): void {
    if (!this.#order.includes(id)) this.#order.push(id);
    // Its failure is told when it is its turn.
    thing.catch(() => {});
    this.#held.set(id, thing);
    this.#pump(false);
  }

  /**
   * Hands out what is left: no more is added, and one that is missing is passed over.
   *
   * @returns When all of it was handed out.
   */
  rest(): Promise<void> {
    return this.#pump(true);
  }

  #pump(isAll: boolean): Promise<void> {
    const before = this.#pumping;
    this.#pumping = (async () => {
      await before;
      for (; this.#next < this.#order.length; this.#next++) {
        const held = this.#held.get(this.#order[this.#next]!);
        if (held === undefined && !isAll) return;
        const thing = await held ?? null;
        if (thing !== null) this.#give(thing);
      }
    })();
    this.#pumping.catch(() => {});
    return this.#pumping;
  }
}
