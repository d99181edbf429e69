// Signals that end a command early but in order.
import { openLibc } from "../ffi/libc.ts";
import { EndedBySignal } from "./errors.ts";
import { needDescriptors } from "./exhaustion.ts";
import { readText } from "./facts.ts";
import { WorkProgress } from "./progress.ts";

/** The signals that end a long-running command early but in order. */
export type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** How often, in milliseconds, a loop that never waits gives the event loop a turn. */
const TURN_MS = 50;

/**
 * Listens for interrupts. Deno runs signal listeners on the event loop, so a loop of synchronous
 * calls sees no signal until it gives the event loop a turn. {@linkcode Interrupt.pause} does that.
 */
export class Interrupt implements Disposable {
  #signal: InterruptSignal | null = null;
  #lastTurn = performance.now();
  #isDisposed = false;
  readonly #listeners: readonly (readonly [InterruptSignal, () => void])[];
  readonly #tell: () => void;
  /** How far the work is that looks at this. */
  readonly progress: WorkProgress = new WorkProgress();

  /**
   * Listens for SIGINT and SIGTERM, and for SIGHUP unless the program was started with nohup.
   *
   * @param tell Called when a signal arrives, for a caller that waits for something else.
   * @throws {KernelError} If no file descriptor is left to listen with.
   */
  constructor(tell: () => void = () => {}) {
    this.#tell = tell;
    needDescriptors(2, "signals");
    const signals: readonly InterruptSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
    const outlives = isNohup();
    // Once Deno listens for any signal, it performs SIGHUP's default action itself, even if SIGHUP
    // was ignored. An empty listener prevents that.
    this.#listeners = signals.map((signal) => [
      signal,
      signal === "SIGHUP" && outlives ? () => {} : () => this.#notice(signal),
    ]);
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  // A second signal has its default action again, so the user need not wait for the orderly end.
  #notice(signal: InterruptSignal): void {
    this.#signal ??= signal;
    this[Symbol.dispose]();
    this.#tell();
  }

  /** The first signal, or `null`. */
  get signal(): InterruptSignal | null {
    return this.#signal;
  }

  /** Whether the event loop has had no turn for a while. */
  get isDue(): boolean {
    return performance.now() - this.#lastTurn >= TURN_MS;
  }

  /**
   * Gives the event loop a turn, in which signal listeners run, if one is due.
   *
   * @param now Gives a turn in any case, since a system call was interrupted.
   */
  async pause(now = false): Promise<void> {
    if (!now && !this.isDue) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lastTurn = performance.now();
  }

  /** Stops listening. A signal then has its default action: it ends the process at once. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/**
 * The part of an {@linkcode Interrupt} that long work looks at, so that something else can stand in
 * for it.
 */
export type InterruptWatch =
  & Pick<Interrupt, "signal" | "isDue" | "pause">
  & Partial<Pick<Interrupt, "progress">>;

/**
 * Gives the event loop a turn, as {@linkcode Interrupt.pause} does.
 *
 * @throws {EndedBySignal} If a signal has arrived.
 */
export async function goOn(interrupt: InterruptWatch): Promise<void> {
  await interrupt.pause();
  if (interrupt.signal !== null) throw new EndedBySignal(interrupt.signal);
}

/** Where nothing listens for signals: each has its default action. */
export const NOT_WATCHED: InterruptWatch = {
  signal: null,
  isDue: false,
  pause: () => Promise.resolve(),
};

/**
 * The most time to check results after a signal, in milliseconds, since the sender waits for the
 * end.
 */
const LAST_LOOK_MS = 250;

/**
 * Limits a long check of results. A signal that arrives during the check ends it. If one arrived
 * before, the check may take a quarter of a second.
 *
 * @example
 * ```ts
 * import { lastLook } from "./interrupt.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let ms = 0;
 * const goesOn = lastLook({ signal: "SIGTERM" }, () => ms);
 * const first = goesOn();
 * ms = 500;
 * assertEquals([first, goesOn()], [true, false]);
 * ```
 *
 * @param interrupt Holds the signal, if one has arrived.
 * @param now A clock, in milliseconds.
 * @returns A function that answers whether the check may go on.
 */
export function lastLook(
  interrupt: Pick<Interrupt, "signal">,
  now: () => number = () => performance.now(),
): () => boolean {
  if (interrupt.signal === null) return () => interrupt.signal === null;
  const end = now() + LAST_LOOK_MS;
  return () => now() < end;
}

/** How long a file that is being written may take after a signal, in milliseconds. */
const LAST_WRITE_MS = 500;

/**
 * Limits the writing of a file that a signal must not tear. It may go on for half a second after
 * the signal, and is given up then.
 *
 * @example
 * ```ts
 * import { type InterruptSignal, lastWrite } from "./interrupt.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let ms = 0;
 * const interrupt: { signal: InterruptSignal | null } = { signal: null };
 * const goesOn = lastWrite(interrupt, () => ms);
 * ms = 60_000;
 * const before = goesOn();
 * interrupt.signal = "SIGINT";
 * const after = goesOn();
 * ms += 500;
 * assertEquals([before, after, goesOn()], [true, true, false]);
 * ```
 *
 * @param interrupt Holds the signal, if one has arrived.
 * @param now A clock, in milliseconds.
 * @returns A function that answers whether the writing may go on.
 */
export function lastWrite(
  interrupt: Pick<Interrupt, "signal">,
  now: () => number = () => performance.now(),
): () => boolean {
  let end = Infinity;
  return () => {
    if (interrupt.signal !== null && end === Infinity) end = now() + LAST_WRITE_MS;
    return now() < end;
  };
}

/** The bit of SIGHUP, which is signal 1, in a mask of signals. */
const HANGUP_BIT = 1n;
const MOST_STATUS = 1 << 16;

let found: boolean | undefined;

/**
 * Whether this program was started with SIGHUP ignored, as nohup does: it should then survive one.
 * Read only once, since Deno changes what happens at signals later.
 *
 * @returns Whether SIGHUP was ignored; false if that is unknown, for instance without the
 * permission for FFI.
 */
function isNohup(): boolean {
  return found ??= Deno.permissions.querySync({ name: "ffi" }).state === "granted" && isIgnored();
}

// SigIgn is a mask of signals: proc_pid_status(5).
function isIgnored(): boolean {
  try {
    const status = readText(openLibc(), "/proc/self/status", MOST_STATUS) ?? "";
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return (BigInt(`0x${mask}`) & HANGUP_BIT) !== 0n;
  } catch {
    return false; // not Linux
  }
}
