// Reads the results that are compared.
import { KernelError } from "../../ffi/errors.ts";
import { fileShortage, UsageError } from "../../host/errors.ts";
import { readHostFile } from "../../host/files.ts";
import { printable } from "../../text/printable.ts";
import { type Comparable, comparableOf } from "./comparable.ts";
import { Foreign } from "./foreign.ts";

/** The most bytes of a file: a bench of 10,000 repetitions fits. */
const MOST_BYTES = 64 * 2 ** 20;

/**
 * Reads a result from a file: what a command printed with `--format json`, or with `--format
 * ndjson`, whose last line is the result.
 *
 * @param path The file; `-` is standard input.
 * @param what What names it, for errors: `--expect`; nothing for an operand.
 * @throws {UsageError} If it cannot be read, or is no result that can be compared.
 * @throws {KernelError} If it cannot be read for lack of room.
 * @throws {HostError} If Deno has no permission to read it.
 */
export function readResult(path: string, what = ""): Comparable {
  const named = `${what === "" ? "" : `${what} `}${printable(path)}`;
  const { value, lines } = parsed(textOf(path, what, named), named);
  return comparableOf(path, resultOf(value, lines, named));
}

function textOf(path: string, what: string, named: string): string {
  try {
    return new TextDecoder().decode(readHostFile(path === "-" ? null : path, { most: MOST_BYTES }));
  } catch (error) {
    if (error instanceof UsageError && what !== "") {
      throw new UsageError(`${what} ${error.message}`);
    }
    if (!(error instanceof KernelError)) throw error;
    throw fileShortage(named, error) ?? new UsageError(`${named}: ${error.message}`);
  }
}

interface Parsed {
  /** The last value. */
  readonly value: unknown;
  /** The values of the lines before it. */
  readonly lines: readonly unknown[];
}

function parsed(text: string, named: string): Parsed {
  const whole = json(text);
  if (whole !== undefined) return { value: whole, lines: [] };
  const lines = text.split("\n").filter((line) => line.trim() !== "").map(json);
  const value = lines.pop();
  if (value !== undefined && !lines.includes(undefined)) return { value, lines };
  throw new UsageError(
    `${named}: no JSON; expected a result of dirtyring, written with --format json`,
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The lines before the last hold what the result of `check` and `checkpoint` leaves out there.
function resultOf(value: unknown, lines: readonly unknown[], named: string): Foreign {
  const result = new Foreign(named, value);
  const schema = result.at("schema").text();
  const name = Object.hasOwn(LISTED, schema) ? LISTED[schema] : undefined;
  if (lines.length === 0 || name === undefined || !result.at(name).isMissing) return result;
  return new Foreign(named, { ...(value as object), [name]: lines }); // it has a field
}

/** The list whose elements are the lines of NDJSON, by schema. */
const LISTED: Readonly<Record<string, string>> = {
  "dirtyring.check/1": "checks",
  "dirtyring.checkpoint/1": "epochs",
};
