/**
 * What of a Worker's global scope is used here; the compiler's own declarations are a window's.
 *
 * @typeParam Order What the thread is told.
 * @typeParam Answer What it says; nothing unless given.
 */
export interface WorkerScope<Order, Answer = never> {
  /** Called with each thing that the thread is told. */
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  /** Tells who started the thread. */
  postMessage(answer: Answer): void;
  /** Ends the thread once it returns. */
  close(): void;
}

/**
 * The scope of the calling thread, for a file that is only ever started as a Worker: the cast holds because of that.
 *
 * @typeParam Order What the thread is told.
 * @typeParam Answer What it says; nothing unless given.
 */
export function workerScope<Order, Answer = never>(): WorkerScope<Order, Answer> {
  return globalThis as unknown as WorkerScope<Order, Answer>;
}
