import type { Formatter, LateFormatter } from "./command.ts";

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

/** An object on a line of its own: what it is made of may have been printed before, a line each. */
export function ndjson(): Promise<Formatter<unknown, unknown>> {
  return Promise.resolve((result) => [`${JSON.stringify(result)}\n`]);
}

/** JSON, which every result has: its module is loaded when it is asked for. */
export async function json(): Promise<Formatter<unknown, unknown>> {
  return (await import("../report/json.ts")).jsonText;
}
