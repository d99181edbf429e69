import { ERRNO, errnoName } from "../ffi/errno.ts";
import { exitName } from "../ffi/kvm_exits.ts";
import { kvm_run } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { long64 } from "../guest/long64.ts";
import { Mapping } from "../kvm/mapping.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import { Patience } from "../lab/patience.ts";
import { FuzzRing } from "./fuzz_ring.ts";

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
   * @param vcpu The vCPU.
   * @param ringBytes Bytes of its ring.
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
