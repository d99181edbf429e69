// Tracing of kernel calls: where its lines go, and what stands before each.
import type { Kernel, TraceOrder } from "../ffi/kernel.ts";
import { traceKernel } from "../ffi/trace.ts";
import { printable, printableLine } from "../text/printable.ts";
import { fileErrorText, UsageError } from "./errors.ts";

/**
 * Makes an empty file for a trace, before anything is traced.
 *
 * @param name The file as the user gave it.
 * @throws {UsageError} If it cannot be written.
 */
export function beginTrace(name: string): void {
  try {
    Deno.openSync(name, { write: true, create: true, truncate: true }).close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = fileErrorText(error);
    throw new UsageError((value) =>
      `${value("trace")} ${printable(name)}: ${why}; expected a file to write`
    );
  }
}

/**
 * Writes the lines of a trace: the thread, the seconds since the trace began, and the call as
 * strace(1) shows it. Each thread and process opens the file for itself, to append, so that lines
 * stay whole.
 *
 * @param order Where the lines go.
 * @param thread The thread's id.
 * @returns A function that takes a call and its answer.
 */
export function traceWriter(order: TraceOrder, thread: number): (call: string) => void {
  const { file, sinceMs } = order;
  const encoder = new TextEncoder();
  return (call) => {
    const line = printableLine(`${thread} ${stamp(sinceMs)}${call}`);
    try {
      if (file === null) return console.error(line);
      using to = Deno.openSync(file, { append: true });
      to.writeSync(encoder.encode(`${line}\n`));
    } catch {
      // There is nowhere to report it, and what is traced must go on.
    }
  };
}

/** A kernel whose calls on this thread are traced as those of the thread that sent the order. */
export function tracedHere(kernel: Kernel, order: TraceOrder | null): Kernel {
  return order === null ? kernel : traceKernel(kernel, traceWriter(order, kernel.gettid()));
}

function stamp(sinceMs: number | null): string {
  if (sinceMs === null) return "";
  // Each thread has a clock that began when it did.
  const seconds = (performance.timeOrigin + performance.now() - sinceMs) / 1000;
  return `${seconds.toFixed(6).padStart(10)} `;
}
