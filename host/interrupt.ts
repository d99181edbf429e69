import { openLibc } from "../ffi/libc.ts";
import { needDescriptors } from "./exhaustion.ts";
import { readText } from "./facts.ts";

/** The signals that end a long-running command early but in order. */
export type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** A loop that never waits gives the event loop a turn this often, in milliseconds. */
const TURN_MS = 50;

/**
 * Listens for an interrupt. Deno runs signal listeners on the event loop, so a loop of synchronous
 * calls sees none until it gives the event loop a turn: that is what {@linkcode Interrupt.pause} does.
 */
export class Interrupt implements Disposable {
  #signal: InterruptSignal | null = null;
  #lastTurn = performance.now();
  #isDisposed = false;
  readonly #listeners: readonly (readonly [InterruptSignal, () => void])[];
  readonly #tell: () => void;

  /**
   * Begins to listen for SIGINT, SIGTERM and, unless this program is to outlive its terminal, SIGHUP.
   *
   * @param tell Called when one comes, for who waits for something else.
   * @throws {KernelError} Where there is no file descriptor left to listen with.
   */
  constructor(tell: () => void = () => {}) {
    this.#tell = tell;
    needDescriptors(2, "signals");
    const signals: readonly InterruptSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
    const outlives = isNohup();
    // Whatever Deno listens for, it takes SIGHUP's default action itself from then on, even where that was ignored.
    this.#listeners = signals.map((signal) => [
      signal,
      signal === "SIGHUP" && outlives ? () => {} : () => this.#notice(signal),
    ]);
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  // A second signal does not wait for what the first one ended: it has its default action again.
  #notice(signal: InterruptSignal): void {
    this.#signal ??= signal;
    this[Symbol.dispose]();
    this.#tell();
  }

  /** The signal that came first, or `null`. */
  get signal(): InterruptSignal | null {
    return this.#signal;
  }

  /** Whether listeners have not been let run for a while. */
  get isDue(): boolean {
    return performance.now() - this.#lastTurn >= TURN_MS;
  }

  /**
   * Lets listeners run, if they have not been let for a while.
   *
   * @param now Lets them run in any case: a system call was interrupted.
   */
  async pause(now = false): Promise<void> {
    if (!now && !this.isDue) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lastTurn = performance.now();
  }

  /** Stops listening: an interrupt then ends the process at once, as it does by default. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/** What a long piece of work looks at: an {@linkcode Interrupt}, or what stands in for one. */
export type InterruptWatch = Pick<Interrupt, "signal" | "isDue" | "pause">;

/** After a signal the tool looks at what was gathered, but no longer than this: who sent it waits for the end. */
const LAST_LOOK_MS = 250;

/**
 * Whether a long look at what was gathered may go on. A signal that comes meanwhile ends it; one that came before lets it
 * have a quarter of a second.
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
 * @param interrupt Tells of a signal.
 * @param now A clock, in milliseconds.
 * @returns What answers whether it may go on.
 */
export function lastLook(
  interrupt: Pick<Interrupt, "signal">,
  now: () => number = () => performance.now(),
): () => boolean {
  if (interrupt.signal === null) return () => interrupt.signal === null;
  const end = now() + LAST_LOOK_MS;
  return () => now() < end;
}

/** The bit of SIGHUP, which is signal 1, in a mask of signals. */
const HANGUP_BIT = 1n;
const MOST_STATUS = 1 << 16;

let found: boolean | undefined;

/**
 * Whether who started this program has it ignore SIGHUP, as nohup does: to listen for that signal would undo it. Asked
 * once: later it is Deno that says what becomes of signals.
 *
 * @returns Whether it is so; false where that cannot be told, as without the permission to call C functions.
 */
function isNohup(): boolean {
  return found ??= Deno.permissions.querySync({ name: "ffi" }).state === "granted" && isIgnored();
}

// proc_pid_status(5): a mask of signals.
function isIgnored(): boolean {
  try {
    const status = readText(openLibc(), "/proc/self/status", MOST_STATUS) ?? "";
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return (BigInt(`0x${mask}`) & HANGUP_BIT) !== 0n;
  } catch {
    return false; // no Linux
  }
}
