// Checks of resets while a vCPU runs, and of resets that a signal interrupts.
import { runBeside } from "../../drive/run_beside.ts";
import { checked, ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { exitName } from "../../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { spinner64 } from "../../guest/long64.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import {
  ascending,
  type CheckAnswer,
  CheckSkip,
  expect,
  expectThat,
  Known,
  numbers,
  RING,
  X86,
} from "../kit/expect.ts";
import type { Machine } from "../kit/machine.ts";
import { storePages } from "../kit/push_pages.ts";
import { batchesOf } from "./coalescing_witness.ts";

/** How many pages a vCPU spins on, one after another. */
const SPINS = 3;
/**
 * Resets of each page. With PML there is only one, because logged pages appear only once the vCPU
 * has stopped.
 */
const RESETS = 30;
/** A slot that is not logged, for the page whose content stops the guest. */
const STOP = { slot: 2, gfn: 0x8000, hostPage: 1024 } as const;

/** Resets a page that a vCPU stores to all the time, and checks that no store goes unlogged. */
class Spin {
  readonly #host: CheckHost;
  readonly #machine: Machine;
  readonly #page: number;
  readonly #stop: Uint32Array<ArrayBuffer>;
  // The page's content when the last reset had returned. Other content comes from a later store.
  #before = 0;
  /** The number of resets made. */
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
    // There is nothing to check before the next store. Its entry must be in the ring once the store
    // is visible.
    if (this.#stop[0] !== 0 || this.#machine.word(this.#page) === this.#before) return;
    try {
      const { pml } = this.#host;
      const isLast = this.resets === (pml ? 1 : RESETS);
      if (!isLast || !pml) this.#expectEntry();
      if (isLast) this.#stop[0] = 1;
      else this.#reset();
    } catch (error) {
      this.#stop[0] = 1; // otherwise the guest would not end
      throw error;
    }
  }

  #expectEntry(): void {
    const what =
      `pages in the ring once page ${this.#page} was stored to after reset ${this.resets}`;
    const pages = this.#machine.dirty(0);
    // There may be more than one where the host's mapping has changed meanwhile.
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

/** Pages whose entries are reset by one call: as many as a machine's list holds. */
const PAGES = 8192;
/** Bytes of a ring with room for all of them, also with PML. */
const RING_BYTES = 2 * PAGES * 16;
/**
 * When the signal arrives, in microseconds after it is armed. A reset takes some hundreds to some
 * thousands.
 */
const DELAYS = [200, 100, 400, 50, 800, 150, 300, 25];
/** The most calls to finish a reset, should stray signals end some of them. */
const FINISHING_CALLS = 100;

function machineFor(host: CheckHost): Machine {
  return host.machine({ ringBytes: RING_BYTES, pages: PAGES, hostPages: PAGES });
}

// Returns runs of pages, alternating between the lower and the upper half, so that each run is a
// batch of its own.
function inRuns(length: number): number[] {
  return numbers(PAGES).map((n) => {
    const run = Math.floor(n / length);
    const half = run % 2 * PAGES / 2;
    return half + Math.floor(run / 2) * length + n % length;
  });
}

// Calls the reset until the rest is done, without a signal of our own.
function finishReset(machine: Machine, rest: number): void {
  let left = rest;
  for (let calls = 0; left > 0 && calls < FINISHING_CALLS; calls++) {
    const answer = machine.reset();
    expectThat("a further call", answer >= 0 && answer <= left, `0 to ${left}`, answer);
    left -= answer;
  }
  expect("entries left by further calls", left, 0);
  expect("a call with nothing left", machine.reset(), 0);
}

function signalEndsWalk(host: CheckHost): CheckAnswer {
  // Before v6.17 a reset ignores signals, so all entries are reset each time.
  const isLookedAt = host.since("6.17");
  const machine = machineFor(host);
  const pages = inRuns(1);
  using alarm = new Alarm(host.kernel);
  // Where signals are ignored their timing makes no difference, so a few delays are enough.
  const delays = DELAYS.filter((_, n) => isLookedAt || n % 3 === 0);
  for (const [n, delay] of delays.entries()) {
    storePages(machine, pages);
    const harvested = machine.harvest(0);
    const answer = alarm.reset(machine, delay);
    const isCount = answer >= 0 && answer <= harvested;
    expectThat("a reset that a signal may end", isCount, `0 to ${harvested}`, answer);
    if (!isLookedAt) expect("entries reset, with a signal on the way", answer, harvested);
    expect("entries still held", machine.held(0).length, harvested - answer);
    finishReset(machine, harvested - answer);
    if (answer === harvested) continue;
    return `a signal ended the walk after ${answer} of ${harvested} entries, in try ${n + 1}`;
  }
  return isLookedAt
    ? `no signal fell into the call in ${delays.length} tries`
    : `before v6.17 signals are not looked at: all ${PAGES} entries were reset in each of ` +
      `${delays.length} tries`;
}

function signalLosesBatch(host: CheckHost): CheckAnswer {
  host.needs("6.17");
  const machine = machineFor(host);
  const pages = inRuns(64);
  storePages(machine, pages);
  using alarm = new Alarm(host.kernel);
  let ended = 0;
  for (const [n, delay] of DELAYS.entries()) {
    const from = machine.fetch(0);
    const harvested = machine.harvest(0);
    const answer = alarm.reset(machine, delay);
    const isCount = answer >= 0 && answer <= harvested;
    expectThat("a reset that a signal may end", isCount, `0 to ${harvested}`, answer);
    const gathered = lastBatch(machine, from, answer);
    finishReset(machine, harvested - answer);
    storePages(machine, pages);
    const again = new Set(machine.dirty(0));
    const lost = ascending(pages.filter((page) => !again.has(page)));
    if (answer < harvested) ended++;
    if (lost.length === 0) continue;
    expect("pages that were not logged again", lost, gathered);
    return new Known(
      `a reset of ${harvested} entries ended after ${answer}, in try ${n + 1}: ` +
        `${lost.length} not logged again, pages ${lost[0]} to ${lost.at(-1)}, which is the batch ` +
        "that the rule of v6.17 puts there (modelled)",
    );
  }
  return ended === 0
    ? `no signal fell into the call in ${DELAYS.length} tries`
    : `nothing was lost, though a signal ended ${ended} of ${DELAYS.length} calls`;
}

// Returns the pages, ascending, of the batch that was being gathered when the walk ended.
function lastBatch(machine: Machine, from: number, count: number): number[] {
  const entries = numbers(count, from).map((index) => {
    const { slot, offset } = machine.entry(0, index); // a reset leaves both unchanged
    return [slot, offset] as const;
  });
  const batch = batchesOf(entries).at(-1);
  if (batch === undefined) return [];
  const { offset, mask } = batch;
  return numbers(64).filter((bit) => (mask >> BigInt(bit) & 1n) === 1n)
    .map((bit) => Number(offset) + bit);
}

/** The statements of "Resetting" on signals. */
export const RESET_SIGNAL_CHECKS: readonly Check[] = [
  {
    id: "reset.signal",
    statement:
      "since v6.17 a pending signal ends the walk early, with the partial count and not EINTR",
    source: `${RING}, v6.17`,
    where: "live",
    run: signalEndsWalk,
  },
  {
    id: "reset.signal-lost-batch",
    statement: "a signal leaves the batch being gathered counted but not re-protected",
    source: `${RING}, v6.17`,
    where: "live",
    run: signalLosesBatch,
  },
];

/** A timer whose SIGALRM interrupts a reset. */
class Alarm implements Disposable {
  readonly #kernel: Kernel;

  /**
   * Does not arm the timer yet.
   *
   * @param kernel The kernel. Must be used on the process's main thread, which receives the signal.
   */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Arms the timer and resets a machine's rings.
   *
   * @param microseconds When the timer fires.
   * @returns The entries reset, or minus an errno.
   * @throws {KernelError} Where the timer cannot be armed.
   */
  reset(machine: Machine, microseconds: number): number {
    checked(this.#kernel.setitimer(microseconds), () => `setitimer(${microseconds} µs)`);
    return machine.reset();
  }

  /** Disarms the timer. */
  [Symbol.dispose](): void {
    checked(this.#kernel.setitimer(0), "setitimer(0)");
  }
}
