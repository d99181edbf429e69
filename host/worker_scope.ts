/**
 * The part of a Worker's global scope that is used here. The compiler's own declarations are those
 * of a window.
 *
 * @typeParam Order The messages to the thread.
 * @typeParam Answer The messages from the thread; none unless given.
 */
export interface WorkerScope<Order, Answer = never> {
  /** Called with each message to the thread. */
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  /** Sends a message to the thread that started this one. */
  postMessage(answer: Answer): void;
  /** Ends the thread once the current task returns. */
  close(): void;
}

/**
 * The scope of the calling thread. Only for files that always run as a Worker, since the cast is
 * false elsewhere.
 *
 * @typeParam Order The messages to the thread.
 * @typeParam Answer The messages from the thread; none unless given.
 */
export function workerScope<Order, Answer = never>(): WorkerScope<Order, Answer> {
  return globalThis as unknown as WorkerScope<Order, Answer>;
}
