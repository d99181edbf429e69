// Shows on stderr's terminal what long work does, how far it is, and how long it will take.
//
// Not @std/cli's progress bar: it is unstable, and npm's deno-std, from which the official modules
// come here, ships @std/cli without it. It would not serve as it is, either: it draws by a timer of
// its own from its first moment on, leaves its last line on the screen, has a bar and a rate but no
// time that is left, and one bar alone, where this work is in steps within steps.
import { Interrupt } from "../host/interrupt.ts";
import type { BegunStep } from "../host/progress.ts";
import { cut } from "../text/printable.ts";

/** Work that ends within this time, in milliseconds, shows nothing. */
const FIRST_MS = 1000;

/** Where progress is shown. */
export interface ProgressView {
  /** Milliseconds between two looks at the work. */
  readonly everyMs: number;
  /**
   * Shows the steps that the work is in.
   *
   * @param steps The steps, the outermost first; at least one.
   * @param sinceMs Milliseconds since the work began.
   */
  show(steps: readonly BegunStep[], sinceMs: number): void;
  /** Removes what is shown. */
  clear(): void;
}

/**
 * A terminal, which shows a line in place.
 *
 * @param status Shows a line until the next one; an empty one removes it.
 * @param columns The terminal's width now.
 */
export function terminalView(
  status: (text: string) => void,
  columns: () => number,
): ProgressView {
  return {
    everyMs: 200,
    show: (steps, sinceMs) => status(progressText(steps, sinceMs, { most: columns() - 1 })),
    clear: () => status(""),
  };
}

/**
 * A terminal that cannot redraw a line (TERM=dumb), or a log: a line now and then.
 *
 * @param say Prints a line.
 */
export function plainView(say: (line: string) => void): ProgressView {
  return {
    everyMs: 10_000,
    show: (steps, sinceMs) => say(progressText(steps, sinceMs)),
    clear: () => {},
  };
}

/** An interrupt that shows how far the work is that looks at it, until a signal arrives. */
export class ShownInterrupt extends Interrupt {
  readonly #view: ProgressView;
  readonly #began = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  /**
   * Listens, and shows nothing in the first second.
   *
   * @param tell Called when a signal arrives.
   * @throws {KernelError} If no file descriptor is left to listen with.
   */
  constructor(view: ProgressView, tell?: () => void) {
    super(tell);
    this.#view = view;
    this.progress.isShown = true;
    // Timers run in the turns that the work gives to the event loop, and never while it measures.
    this.#timer = setInterval(() => this.#show(), view.everyMs);
  }

  #show(): void {
    const sinceMs = performance.now() - this.#began;
    const { steps } = this.progress;
    if (sinceMs < FIRST_MS) return;
    if (steps.length === 0) this.#view.clear();
    else this.#view.show(steps, sinceMs);
  }

  /** Removes what is shown, and stops listening: at the end, and once a signal has arrived. */
  override [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#view.clear();
    super[Symbol.dispose]();
  }
}

/** Characters without which nobody would know what is done. */
const LEAST_ROOM = 10;

/** How a line of progress is made. */
export interface ProgressOptions {
  /** The most characters; any number unless given. */
  readonly most?: number;
  /** The time, by the clock of the steps. */
  readonly now?: number;
}

/**
 * Says in a line how far work is: what it does, how much is done, for how long it has run, and, if
 * that can be told, how long the step will take. Where that is too long, steps within steps are
 * left out, and then what it does is cut: the times stay.
 *
 * @example
 * ```ts
 * import { progressText } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const step = { what: "checking memory", total: 400, done: () => 100 };
 * const begun = { step, began: 10_000, seen: { done: 0, at: 10_000 } };
 * const text = progressText([begun], 7000, { now: 15_000 });
 * assertEquals(text, "checking memory: 25 %, 7 s so far, some 15 s left");
 * ```
 *
 * @param steps The steps, the outermost first.
 * @param sinceMs Milliseconds since the work began.
 */
export function progressText(
  steps: readonly BegunStep[],
  sinceMs: number,
  { most = Infinity, now = performance.now() }: ProgressOptions = {},
): string {
  const parts = steps.map(({ step }) => ({ step, done: doneOf(step) }));
  const [first = "", ...inner] = parts.map(({ step, done }) => stepText(step, done));
  const within = inner.length === 0 ? "" : ` (${inner.join(", ")})`;
  // That of the whole, or of the first step that counts: what a step within it still takes says
  // nothing of the others.
  const whole = steps.findIndex(({ step: { total, unit } }) =>
    total !== null || unit !== undefined
  );
  const left = whole === -1 ? null : leftMs(steps[whole]!, parts[whole]!.done, now);
  const rest = left === null ? "" : `, some ${spanText(Math.max(left, 1000))} left`;
  const times = `, ${spanText(sinceMs)} so far${rest}`;
  if (first.length + within.length + times.length <= most) return first + within + times;
  const room = most - times.length;
  return room < LEAST_ROOM ? cut(first + times, most) : cut(first, room) + times;
}

// Asks the work. A VM that is dead cannot say how far it is, and its error comes by another way.
function doneOf(step: BegunStep["step"]): number {
  try {
    return step.done();
  } catch {
    return 0;
  }
}

function stepText({ what, total, unit }: BegunStep["step"], done: number): string {
  if (total === null) {
    return unit === undefined || done === 0 ? what : `${what}: ${Math.floor(done)} ${unit}`;
  }
  if (unit !== undefined) return `${what}: ${Math.floor(done)} of ${total} ${unit}`;
  return `${what}: ${Math.floor(Math.min(done / Math.max(total, 1), 1) * 100)} %`;
}

/** Below this share nothing is said of the time that is left. */
const LEAST_SHARE = 0.01;

// Milliseconds that are left of a step; null if nobody knows. One that has just begun does not, nor
// one that takes longer than it seemed.
function leftMs(begun: BegunStep, done: number, now: number): number | null {
  const { step: { total, isSteady = true }, began } = begun;
  // Where little is counted, such as epochs, the rest does not grow while one of them lasts.
  if (done !== begun.seen.done) begun.seen = { done, at: now };
  if (total === null || !isSteady || done < total * LEAST_SHARE || now - began < FIRST_MS) {
    return null;
  }
  const { at } = begun.seen;
  const left = (at - began) * Math.max(total - done, 0) / done - (now - at);
  return left > 0 ? left : null;
}

function spanText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
