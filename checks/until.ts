/** What stopped the waiting: the time ran out, or somebody called it off. */
export type Waited = "late" | "aborted";

/**
 * Waits for something, but not for ever.
 *
 * @param thing What to wait for.
 * @param ms The longest time, in milliseconds.
 * @param abort Calls it off.
 * @returns What came, or why nothing did. A thing that comes later is not looked at again.
 */
export async function until<T>(
  thing: Promise<T>,
  ms: number,
  abort: AbortSignal,
): Promise<T | Waited> {
  if (abort.aborted) return "aborted";
  using stack = new DisposableStack();
  const waiting = new Promise<Waited>((resolve) => {
    const timer = setTimeout(() => resolve("late"), ms);
    const listener = () => resolve("aborted");
    abort.addEventListener("abort", listener);
    stack.defer(() => {
      clearTimeout(timer);
      abort.removeEventListener("abort", listener);
    });
  });
  return await Promise.race([thing, waiting]);
}
