import type { Formatter, LateFormatter } from "./command.ts";
import { loadModule } from "./load_module.ts";

/**
 * A format whose module is already there.
 *
 * @param format The formatter.
 * @returns How to get it.
 */
export function now<Result, Options>(
  format: Formatter<Result, Options>,
): LateFormatter<Result, Options> {
  return () => Promise.resolve(format);
}

/** JSON, which every result has: its module is loaded when it is asked for. */
export async function json(): Promise<Formatter<unknown, unknown>> {
  // The cast names what the module exports; the compiler checks the import() type against it.
  return (await loadModule("../report/json.ts") as typeof import("../report/json.ts")).jsonText;
}
