/** What a reset thread is told to do. */
export interface ResetOrder {
  /** The VM's file descriptor, owned by the main thread. */
  readonly fd: number;
  /** Two counters: rounds started, and threads that wait at the gate for the next round. */
  readonly gate: Int32Array<SharedArrayBuffer>;
  /** The round to wait for. */
  readonly round: number;
}

/** A timed call of `KVM_RESET_DIRTY_RINGS`. */
export interface ResetCall {
  /** Entries reset, or minus an errno. */
  readonly answer: number;
  /** When it began, in milliseconds of a clock that all threads share. */
  readonly from: number;
  /** When it ended, by the same clock. */
  readonly to: number;
}

/** Times a call. */
export function resetCall(call: () => number): ResetCall {
  const clock = () => performance.timeOrigin + performance.now();
  const from = clock();
  const answer = call();
  return { answer, from, to: clock() };
}
