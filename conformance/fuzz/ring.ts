// A fuzz program's view of a vCPU and of its ring.
import { Patience } from "../../drive/inline_driver.ts";
import { ERRNO, errnoName } from "../../ffi/errors.ts";
import { exitName } from "../../ffi/kvm_constants.ts";
import { kvm_run } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { long64 } from "../../guest/long64.ts";
import { type DirtyRing, Mapping } from "../../kvm/mapping.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { DIRTY, ENTRY_WORDS, FLAGS, HARVESTED, OFFSET, SLOT } from "../../ring/entry.ts";

/** Slot word for an entry that KVM has not pushed: no slot has this id. */
const UNPUSHED_SLOT = 0xffff;

/**
 * A ring as the program sees it. By watching which entries change, it infers KVM's two indices: how
 * many entries were pushed, and how many were taken by resets. It assumes no other rule of the
 * ring.
 */
export class FuzzRing {
  readonly #words: Uint32Array<ArrayBuffer>;
  // The ring's content when it was last looked at.
  readonly #seen: Uint32Array<ArrayBuffer>;
  readonly #entries: number;
  #pushed = 0;
  #taken = 0;
  #fetch = 0;
  #isSpent = false;

  /**
   * Starts to watch a fresh ring.
   *
   * @param ring The ring. The caller must keep it mapped while this object is used.
   */
  constructor({ words, entries }: DirtyRing) {
    this.#words = words;
    this.#seen = new Uint32Array(words.length);
    this.#entries = entries;
  }

  /**
   * Whether its vCPU must not run any more, because an entry that was not pushed is marked
   * harvested. A reset that takes such an entry moves KVM's reset index past its push index, and
   * the next push would make the kernel warn of an overflow.
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

  /**
   * Counts the entries that a run has just pushed: those that changed, from the first one not yet
   * pushed.
   */
  notePushes(): void {
    const end = this.#pushed + this.#entries;
    while (this.#pushed < end && this.#hasChanged(this.#pushed)) this.#pushed++;
  }

  /**
   * Counts the entries that a reset has just taken: those that were harvested and whose flags are
   * now 0.
   */
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
   * @param count The maximum number of entries.
   * @returns The number of entries harvested.
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
   * @param count The maximum number of entries.
   * @returns The number of entries skipped.
   */
  skip(count: number): number {
    const first = this.#fetch;
    this.#fetch = Math.min(this.#pushed, first + count);
    return this.#fetch - first;
  }

  /**
   * Harvests entries that were skipped and are still dirty.
   *
   * @param count The maximum number of entries.
   * @returns The number of entries harvested.
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
   * @param at The entry's position, counted from the next entry that a reset takes.
   */
  mark(at: number, flags: number): void {
    const index = this.#taken + at % this.#entries;
    if (index >= this.#pushed) {
      if ((flags & HARVESTED) !== 0) this.#isSpent = true;
      // A later push here must be visible as a change.
      if (flags === DIRTY) this.#words[this.#at(index) + SLOT] = UNPUSHED_SLOT;
    }
    this.#words[this.#at(index) + FLAGS] = flags;
  }

  /**
   * Overwrites the slot and offset of an entry.
   *
   * @param at The entry's position, counted from the next entry that a reset takes.
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
   * Reports what has changed since the last look, anywhere in the ring, stale words included.
   *
   * @param vcpu The index of the ring's vCPU, the first number of each change.
   * @param into Receives six numbers for each entry that changed: vCPU, index, flags, slot, offset
   * low and high.
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

/** The answer of an operation whose `KVM_RUN` did not end. */
export const ENDLESS = "no exit, and no store any more";

/** The answer of an operation that was interrupted. */
export const INTERRUPTED = "interrupted";

/** Lets this process handle signals; returns whether the program may go on. */
export type FuzzPause = () => Promise<boolean>;

/** How many looks at a vCPU that neither exits nor stores before it is given up. */
const LOOKS = 20;
/** Exits after which a vCPU can continue its stores. */
const GOES_ON: readonly string[] = ["KVM_EXIT_DIRTY_RING_FULL", "KVM_EXIT_MMIO"];

/** A vCPU of a program, with its ring and the state of its stores. */
export class FuzzVcpu implements Disposable {
  readonly #resources: DisposableStack;
  #hasBegun = false;
  #canGoOn = false;
  /** The vCPU; its fd is -1 once it is closed. */
  readonly vcpu: Vcpu;
  /** Its ring; `null` once it is unmapped. */
  ring: FuzzRing | null;

  /**
   * Takes ownership of a vCPU and maps its ring.
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
   * @param hidesRing Whether to unmap its ring, too.
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
   * @param list The guest address of the list of addresses to store to.
   * @param stores The number of stores.
   * @param value The value of the first store.
   */
  begin(list: number, stores: number, value: number): void {
    this.vcpu.setRegisters(long64.begin({ list, stores, value, step: 1 }));
    this.#hasBegun = true;
    this.#canGoOn = true;
  }

  /** Stores that it has left; `null` where it is closed. */
  get remaining(): number | null {
    if (this.isClosed) return null;
    return this.#hasBegun ? long64.remaining((name) => this.vcpu.register(name)) : 0;
  }

  /**
   * Runs it, unless it could leave the guest's program.
   *
   * @param isInterrupted Whether to set `immediate_exit` for the run.
   * @param pause Called while it runs without an exit; returns whether it may go on.
   * @returns The name of the exit reason or of an errno, or why the vCPU was not run, or not to an
   * exit.
   */
  async run(isInterrupted: boolean, pause: FuzzPause): Promise<string> {
    if (this.isClosed) return "closed";
    if (this.ring?.isSpent !== false) return "spent";
    // After its last store the guest exits by OUT. There is no code behind that.
    if (!this.#canGoOn) return "nothing to do";
    const answer = isInterrupted ? this.#runInterrupted() : await this.#runToExit(pause);
    this.ring.notePushes();
    if (typeof answer === "string") return answer;
    if (answer < 0) return errnoName(-answer);
    const exit = exitName(this.vcpu.exitReason);
    this.#canGoOn = GOES_ON.includes(exit);
    return exit;
  }

  // Runs until KVM_RUN returns. Returns its answer, or why the wait was given up.
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
