import { Patience } from "../../drive/inline_driver.ts";
import { ERRNO, errnoName } from "../../ffi/errors.ts";
import { exitName } from "../../ffi/kvm_constants.ts";
import { kvm_run } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { long64 } from "../../guest/long64.ts";
import { type DirtyRing, Mapping } from "../../kvm/mapping.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { DIRTY, ENTRY_WORDS, FLAGS, HARVESTED, OFFSET, SLOT } from "../../ring/entry.ts";

/** Slot word of an entry that no push wrote: no slot has this id. */
const UNPUSHED_SLOT = 0xffff;

/**
 * A ring as the program sees it, and what follows of KVM's two indices from looking on: which entries
 * were pushed, and which were taken by resets. Nothing here is known from a rule of the ring.
 */
export class FuzzRing {
  readonly #words: Uint32Array<ArrayBuffer>;
  // The ring when it was last looked at.
  readonly #seen: Uint32Array<ArrayBuffer>;
  readonly #entries: number;
  #pushed = 0;
  #taken = 0;
  #fetch = 0;
  #isSpent = false;

  /**
   * Looks at a fresh ring.
   *
   * @param ring The ring; to be kept mapped as long as it is looked at.
   */
  constructor({ words, entries }: DirtyRing) {
    this.#words = words;
    this.#seen = new Uint32Array(words.length);
    this.#entries = entries;
  }

  /**
   * Whether its vCPU must not run any more: an entry that was not pushed is marked harvested. A reset that
   * takes it moves past KVM's push index, and the next push makes a kernel warn of an overflow.
   */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  #at(index: number): number {
    return (index % this.#entries) * ENTRY_WORDS;
  }

  #flags(index: number): number {
    return this.#words[this.#at(index) + FLAGS]!;
  }

  #hasChanged(index: number): boolean {
    const at = this.#at(index);
    for (let n = at; n < at + ENTRY_WORDS; n++) if (this.#words[n] !== this.#seen[n]) return true;
    return false;
  }

  /** Counts what a run has just pushed: entries that changed, from the first that was not pushed on. */
  notePushes(): void {
    const end = this.#pushed + this.#entries;
    while (this.#pushed < end && this.#hasChanged(this.#pushed)) this.#pushed++;
  }

  /** Counts what a reset has just taken: entries that were harvested and are invalid. */
  noteReset(): void {
    const end = this.#taken + this.#entries;
    while (
      this.#taken < end && (this.#seen[this.#at(this.#taken) + FLAGS]! & HARVESTED) !== 0 &&
      this.#flags(this.#taken) === 0
    ) this.#taken++;
    this.#pushed = Math.max(this.#pushed, this.#taken);
    this.#fetch = Math.max(this.#fetch, this.#taken);
  }

  /**
   * Harvests in order, from the fetch index on, up to the first entry that is not dirty.
   *
   * @param count The most entries.
   * @returns Entries harvested.
   */
  harvest(count: number): number {
    const first = this.#fetch;
    while (
      this.#fetch < Math.min(this.#pushed, first + count) && this.#flags(this.#fetch) === DIRTY
    ) this.#words[this.#at(this.#fetch++) + FLAGS] = DIRTY | HARVESTED;
    return this.#fetch - first;
  }

  /**
   * Moves the fetch index over pushed entries.
   *
   * @param count The most entries.
   * @returns Entries passed over.
   */
  skip(count: number): number {
    const first = this.#fetch;
    this.#fetch = Math.min(this.#pushed, first + count);
    return this.#fetch - first;
  }

  /**
   * Harvests what was passed over and is still dirty.
   *
   * @param count The most entries.
   * @returns Entries harvested.
   */
  fill(count: number): number {
    let filled = 0;
    for (let n = this.#taken; n < this.#fetch && filled < count; n++) {
      if (this.#flags(n) !== DIRTY) continue;
      this.#words[this.#at(n) + FLAGS] = DIRTY | HARVESTED;
      filled++;
    }
    return filled;
  }

  /**
   * Writes an entry's flags.
   *
   * @param at Entries from the next that a reset takes.
   */
  mark(at: number, flags: number): void {
    const index = this.#taken + at % this.#entries;
    if (index >= this.#pushed) {
      if ((flags & HARVESTED) !== 0) this.#isSpent = true;
      // So that a push that comes here is seen as a change.
      if (flags === DIRTY) this.#words[this.#at(index) + SLOT] = UNPUSHED_SLOT;
    }
    this.#words[this.#at(index) + FLAGS] = flags;
  }

  /**
   * Writes what an entry names.
   *
   * @param at Entries from the next that a reset takes.
   * @param slot Address space << 16 | slot id.
   * @param offset Pages from the slot's base.
   */
  forge(at: number, slot: number, offset: number): void {
    const word = this.#at(this.#taken + at % this.#entries);
    this.#words[word + SLOT] = slot;
    this.#words[word + OFFSET] = offset;
    this.#words[word + OFFSET + 1] = 0;
  }

  /**
   * What has changed since the last look: all of the ring is looked at, stale words included.
   *
   * @param vcpu Whose ring it is: the first number of each change.
   * @param into Gets six numbers for each entry that changed: vCPU, index, flags, slot, offset low and
   * high.
   */
  changes(vcpu: number, into: number[]): void {
    for (let index = 0; index < this.#entries; index++) {
      if (!this.#hasChanged(index)) continue;
      const at = this.#at(index);
      this.#seen.set(this.#words.subarray(at, at + ENTRY_WORDS), at);
      into.push(vcpu, index, ...this.#seen.subarray(at, at + ENTRY_WORDS));
    }
  }
}

/** What an operation came to whose `KVM_RUN` had no end. */
export const ENDLESS = "no exit, and no store any more";

/** What an operation came to that was called off. */
export const INTERRUPTED = "interrupted";

/** Lets signals be seen; answers whether a program may go on. */
export type FuzzPause = () => Promise<boolean>;

/** Looks after which a vCPU is given up that neither exits nor makes a store: stores are few. */
const LOOKS = 20;
/** Exits after which a vCPU can go on with its stores. */
const GOES_ON: readonly string[] = ["KVM_EXIT_DIRTY_RING_FULL", "KVM_EXIT_MMIO"];

/** A vCPU of a program: its ring, and how far its stores are. */
export class FuzzVcpu implements Disposable {
  readonly #resources: DisposableStack;
  #hasBegun = false;
  #canGoOn = false;
  /** The vCPU; its fd is -1 once it is closed. */
  readonly vcpu: Vcpu;
  /** Its ring; out of sight where it is unmapped. */
  ring: FuzzRing | null;

  /**
   * Takes a vCPU over and maps its ring.
   *
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(vcpu: Vcpu, ringBytes: number) {
    using resources = new DisposableStack();
    this.vcpu = resources.use(vcpu);
    vcpu.changeSregs(long64.prepare);
    this.ring = new FuzzRing(resources.use(vcpu.mapDirtyRing(ringBytes)));
    this.#resources = resources.move();
  }

  /** Whether its file descriptor is closed. */
  get isClosed(): boolean {
    return this.vcpu.fd === -1;
  }

  /**
   * Closes its file descriptor.
   *
   * @param hidesRing Whether its ring is unmapped, too.
   */
  close(hidesRing: boolean): void {
    if (hidesRing) {
      this.ring = null;
      this.#resources.dispose();
    } else this.vcpu[Symbol.dispose]();
  }

  /**
   * Sets it up for stores.
   *
   * @param list Guest address of the pages' addresses.
   * @param stores Their number.
   * @param value The first store's value.
   */
  begin(list: number, stores: number, value: number): void {
    this.vcpu.setRegisters(long64.begin({ list, stores, value, step: 1 }));
    this.#hasBegun = true;
    this.#canGoOn = true;
  }

  /** Stores that it has still to make; `null` where it is closed. */
  get remaining(): number | null {
    if (this.isClosed) return null;
    return this.#hasBegun ? long64.remaining((name) => this.vcpu.register(name)) : 0;
  }

  /**
   * Runs it, where that leads nowhere but into its program.
   *
   * @param isInterrupted Whether `immediate_exit` is set meanwhile.
   * @param pause Called while it runs on and on; answers whether it shall.
   * @returns The exit's name, an errno's, or why it was not run, or not to its end.
   */
  async run(isInterrupted: boolean, pause: FuzzPause): Promise<string> {
    if (this.isClosed) return "closed";
    if (this.ring?.isSpent !== false) return "spent";
    // After its last store it ends by OUT: beyond that is no program.
    if (!this.#canGoOn) return "nothing to do";
    const answer = isInterrupted ? this.#runInterrupted() : await this.#runToExit(pause);
    this.ring.notePushes();
    if (typeof answer === "string") return answer;
    if (answer < 0) return errnoName(-answer);
    const exit = exitName(this.vcpu.exitReason);
    this.#canGoOn = GOES_ON.includes(exit);
    return exit;
  }

  // What KVM_RUN answers in the end, or why that was not waited for.
  async #runToExit(pause: FuzzPause): Promise<number | string> {
    const patience = new Patience(this.vcpu, LOOKS);
    for (;;) {
      const answer = this.vcpu.runBriefly();
      if (answer !== null && answer !== -ERRNO.EINTR) return answer;
      const mayGoOn = await pause();
      if (mayGoOn && !patience.isOver()) continue;
      this.#canGoOn = false;
      return mayGoOn ? ENDLESS : INTERRUPTED;
    }
  }

  #runInterrupted(): number {
    const { kernel, fd, id } = this.vcpu;
    using run = Mapping.shared(kernel, fd, 0, PAGE_SIZE, `vCPU ${id}`);
    run.bytes[kvm_run.at.immediate_exit] = 1;
    try {
      return this.vcpu.run();
    } finally {
      run.bytes[kvm_run.at.immediate_exit] = 0;
    }
  }

  /** Unmaps its ring and closes it. */
  [Symbol.dispose](): void {
    this.ring = null;
    this.#resources.dispose();
  }
}
