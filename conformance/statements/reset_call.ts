/** What a thread is told to do. */
export interface ResetOrder {
  /** The VM's file descriptor. */
  readonly fd: number;
  /** Rounds that have begun, and threads that wait for the next. */
  readonly gate: Int32Array<SharedArrayBuffer>;
  /** The round to wait for. */
  readonly round: number;
}

/** A call of `KVM_RESET_DIRTY_RINGS`. */
export interface ResetCall {
  /** Entries reset, or minus an errno. */
  readonly answer: number;
  /** When it began, in milliseconds of a clock that all threads share. */
  readonly from: number;
  /** When it ended. */
  readonly to: number;
}

/**
 * Times a call.
 *
 * @returns What it answered, and when.
 */
export function resetCall(call: () => number): ResetCall {
  const clock = () => performance.timeOrigin + performance.now();
  const from = clock();
  const answer = call();
  return { answer, from, to: clock() };
}
