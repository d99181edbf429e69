import { ERRNO } from "../ffi/errno.ts";
import { exitName } from "../ffi/kvm_exits.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { spinner64 } from "../guest/spinner64.ts";
import { runBeside } from "../lab/run_beside.ts";
import type { Check } from "./check.ts";
import { type CheckAnswer, CheckSkip } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect, expectThat } from "./expect.ts";
import type { Machine } from "./machine.ts";
import { numbers } from "./numbers.ts";
import { X86 } from "./sources.ts";

/** Pages that a vCPU spins on, one after another. */
const SPINS = 3;
/** Resets of each. With PML one: what the processor notes is seen once the vCPU has stopped. */
const RESETS = 30;
/** A slot that is not logged, for the page that stops the guest. */
const STOP = { slot: 2, gfn: 0x8000, hostPage: 1024 } as const;

/** Resets a page that a vCPU stores to all the time, and holds that no store slips through unlogged. */
class Spin {
  readonly #host: CheckHost;
  readonly #machine: Machine;
  readonly #page: number;
  readonly #stop: Uint32Array<ArrayBuffer>;
  // The page's content when the last reset had returned: another one is of a later store.
  #before = 0;
  /** Resets made. */
  resets = 0;

  constructor(host: CheckHost, machine: Machine, page: number) {
    this.#host = host;
    this.#machine = machine;
    this.#page = page;
    this.#stop = machine.memory.subarray(STOP.hostPage * PAGE_SIZE / 4);
  }

  async run(): Promise<void> {
    const machine = this.#machine;
    this.#stop[0] = 0;
    machine.begin(0, [machine.gfn + this.#page, STOP.gfn]);
    let answer: number;
    do {
      answer = await runBeside(machine.vcpus[0]!, () => this.#look());
    } while (answer === -ERRNO.EINTR);
    expect("KVM_RUN", answer, 0);
    expect("exit", exitName(machine.vcpus[0]!.exitReason), machine.guest.exit);
    this.#expectEntry();
    this.#reset();
  }

  #look(): void {
    // Nothing is due before the next store. Its entry is looked for after it was seen.
    if (this.#stop[0] !== 0 || this.#machine.word(this.#page) === this.#before) return;
    try {
      const { pml } = this.#host;
      const isLast = this.resets === (pml ? 1 : RESETS);
      if (!isLast || !pml) this.#expectEntry();
      if (isLast) this.#stop[0] = 1;
      else this.#reset();
    } catch (error) {
      this.#stop[0] = 1; // or the guest would not end
      throw error;
    }
  }

  #expectEntry(): void {
    const what =
      `pages in the ring once page ${this.#page} was stored to after reset ${this.resets}`;
    const pages = this.#machine.dirty(0);
    // More than one where the host's mapping has changed meanwhile.
    const isLogged = pages.length > 0 && pages.every((page) => page === this.#page);
    expectThat(what, isLogged, `${this.#page}`, pages);
  }

  #reset(): void {
    const harvested = this.#machine.harvest(0);
    expect("entries reset", this.#machine.reset(), harvested);
    this.#before = this.#machine.word(this.#page);
    this.resets++;
  }
}

async function resetsBeside(host: CheckHost): Promise<CheckAnswer> {
  if (host.kernel.insight === null && navigator.hardwareConcurrency < 2) {
    throw new CheckSkip("needs two processors: a vCPU that stores all the time takes one of them");
  }
  const machine = host.machine({ guest: spinner64 });
  expect("slot set", machine.setSlot(STOP.slot, { ...STOP, pages: 1, flags: 0 }), 0);
  let resets = 0;
  for (const page of numbers(SPINS)) {
    const spin = new Spin(host, machine, page);
    await spin.run();
    resets += spin.resets;
  }
  return `${resets} resets of a page that was stored to all the time`;
}

/** `reset.flushes-running`, a statement of "Resetting". */
export const RUNNING_RESET_CHECKS: readonly Check[] = [
  {
    id: "reset.flushes-running",
    statement:
      "once a reset has returned, a running vCPU's next store to a page of it is logged, and none slips through",
    source: X86,
    where: "live",
    run: resetsBeside,
  },
];
