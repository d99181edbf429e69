import { UsageError } from "../lab/usage_error.ts";
import {
  FUZZ_RANGES,
  type FuzzOp,
  type FuzzOpName,
  type FuzzProgram,
  type FuzzRange,
  MOST_STORES,
  unsafeReason,
} from "./fuzz_program.ts";
import { printable, quoted } from "../text/printable.ts";

const HEAD: Readonly<Record<Exclude<keyof FuzzProgram, "ops">, FuzzRange>> = {
  ringBytes: [0, 2 ** 32 - 1],
  vcpus: [0, 4],
  logProgram: [0, 1],
};

/**
 * Reads a program as a mismatch is printed: JSON lines, the head first, then an operation a line. What a
 * real kernel must not be asked is refused.
 *
 * @example
 * ```ts
 * import { parseProgram } from "./fuzz_script.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = '{"ringBytes":4096,"vcpus":1,"logProgram":0}\n{"do":"reset","argument":0}\n';
 * assertEquals(parseProgram(text).ops, [{ do: "reset", argument: 0 }]);
 * ```
 *
 * @param text The lines; empty ones and those that begin with # are passed over.
 * @returns The program.
 * @throws {UsageError} Where a line is wrong, with its number.
 */
export function parseProgram(text: string): FuzzProgram {
  const lines = text.split("\n").map((line, n) => [line.trim(), n + 1] as const)
    .filter(([line]) => line !== "" && !line.startsWith("#"));
  const [first, ...rest] = lines;
  if (first === undefined) throw new UsageError("fuzz program: it has no line");
  const head = record(...first);
  checkFields(head, HEAD, first[1]);
  return {
    ringBytes: Number(head["ringBytes"]),
    vcpus: Number(head["vcpus"]),
    logProgram: Number(head["logProgram"]),
    ops: rest.map(([line, n]) => operation(record(line, n), n)),
  };
}

function wrong(line: number, what: string): UsageError {
  return new UsageError(`fuzz program, line ${line}: ${what}`);
}

function record(line: string, n: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong(n, "no JSON");
  }
  if (typeof value !== "object" || value === null) throw wrong(n, "no object");
  return { ...value };
}

function isName(name: unknown): name is FuzzOpName {
  return typeof name === "string" && Object.hasOwn(FUZZ_RANGES, name);
}

function operation({ do: name, ...fields }: Readonly<Record<string, unknown>>, n: number): FuzzOp {
  if (!isName(name)) throw wrong(n, `do: no operation ${operationText(name)}`);
  checkFields(fields, FUZZ_RANGES[name], n);
  const op = { do: name, ...fields } as FuzzOp; // each of its fields was checked
  const reason = unsafeReason(op);
  if (reason !== null) throw wrong(n, reason);
  return op;
}

// What stands where the name of an operation should, which may be anything.
function operationText(name: unknown): string {
  return typeof name === "string"
    ? quoted(name)
    : printable(JSON.stringify(name) ?? "without a name");
}

function checkFields(
  fields: Readonly<Record<string, unknown>>,
  ranges: Readonly<Record<string, FuzzRange>>,
  n: number,
): void {
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(ranges, name)) throw wrong(n, `no field ${printable(name)}`);
  }
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = fields[name];
    const fits = (one: unknown) =>
      Number.isInteger(one) && Number(one) >= least && Number(one) <= most;
    if (name === "gfns") {
      if (!Array.isArray(value) || value.length > MOST_STORES || !value.every(fits)) {
        throw wrong(n, `${name}: up to ${MOST_STORES} numbers from ${least} to ${most}`);
      }
    } else if (!fits(value)) throw wrong(n, `${name}: a whole number from ${least} to ${most}`);
  }
}
