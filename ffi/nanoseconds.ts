/**
 * Milliseconds as whole nanoseconds, which all times of results are.
 *
 * @param ms Milliseconds.
 * @returns Nanoseconds.
 */
export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

/**
 * The time that has passed.
 *
 * @param started What `performance.now()` said in the beginning.
 * @returns Nanoseconds since then.
 */
export function nanosecondsSince(started: number): number {
  return nanoseconds(performance.now() - started);
}
