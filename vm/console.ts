// Validates the JSON that a machine sends, since the kernel in it may be broken, and reads its
// console.
import { EXIT } from "../host/errors.ts";
import type { KernelFacts } from "../host/facts.ts";
import { type Frame, FrameError } from "./frames.ts";
import type { GuestEnd, GuestFile, GuestProblem } from "./guest_request.ts";

/** Whether a value that came from outside has the shape of a `Value`. */
export type Shape<Value> = (value: unknown) => value is Value;

/** A string. */
export const text: Shape<string> = (value): value is string => typeof value === "string";

/** A boolean. */
export const flag: Shape<boolean> = (value): value is boolean => typeof value === "boolean";

/** A finite number. */
export const number: Shape<number> = (value): value is number => Number.isFinite(value);

/**
 * A whole number that is not negative.
 *
 * @param most The largest that is allowed.
 */
export function count(most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

/** One of the given words. */
export function word<const Word extends string>(...words: readonly Word[]): Shape<Word> {
  return (value): value is Word => words.some((one) => one === value);
}

/** A value of a shape, or `null`. */
export function orNull<Value>(shape: Shape<Value>): Shape<Value | null> {
  return (value): value is Value | null => value === null || shape(value);
}

/** A list whose elements have a shape. */
export function list<Value>(shape: Shape<Value>): Shape<readonly Value[]> {
  return (value): value is readonly Value[] => Array.isArray(value) && value.every(shape);
}

/**
 * An object with the given fields; it may have others, too.
 *
 * @example
 * ```ts
 * import { count, record, text } from "./console.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const named = record({ name: text, age: count(200) });
 * assertEquals([named({ name: "x", age: 7 }), named({ name: "x" }), named(null)], [true, false, false]);
 * ```
 */
export function record<Fields extends object>(
  fields: { readonly [Name in keyof Fields]: Shape<Fields[Name]> },
): Shape<Fields> {
  // The entries of `fields` are shapes; TypeScript types them as unknown.
  const shapes = Object.entries(fields) as (readonly [string, Shape<unknown>])[];
  return (value): value is Fields => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const own = new Map<string, unknown>(Object.entries(value));
    return shapes.every(([name, shape]) => shape(own.get(name)));
  };
}

// Shapes of what the machine's first process sends. The kernel under test may corrupt it in any
// way.

/** The largest exit status, and the largest errno. */
const MOST_STATUS = 255;
const MOST_ERRNO = 4095;

/** Facts of a kernel. */
export const KERNEL_FACTS: Shape<KernelFacts> = record<KernelFacts>({
  backend: word("kvm", "model"),
  model: orNull(text),
  release: text,
  module: orNull(text),
  ringMaxBytes: orNull(count()),
});

/**
 * The exit statuses of dirtyring's commands. A command with any other status did not end by itself.
 */
export const COMMAND_STATUSES: ReadonlySet<number> = new Set(Object.values(EXIT));

/** How a command ended. */
export const GUEST_END: Shape<GuestEnd> = record<GuestEnd>({ code: count(MOST_STATUS) });

/** A file that a command wrote. */
export const GUEST_FILE: Shape<GuestFile> = record<GuestFile>({ output: text, below: text });

/** Why a machine has no usable KVM. */
export const GUEST_PROBLEM: Shape<GuestProblem> = record<GuestProblem>({
  refused: list(record<{ name: string; errno: number }>({ name: text, errno: count(MOST_ERRNO) })),
  words: list(text),
  error: orNull(text),
});

/**
 * Parses the JSON of a frame.
 *
 * @param shape The shape that it must have.
 * @throws {FrameError} Where it has another shape.
 */
export function said<Value>({ body }: Frame, shape: Shape<Value>): Value {
  return saidIn(new TextDecoder().decode(body), shape);
}

/**
 * Parses a line of JSON that a command printed in a machine.
 *
 * @param line JSON.
 * @param shape The shape that it must have.
 * @throws {FrameError} Where it has another shape.
 */
export function saidIn<Value>(line: string, shape: Shape<Value>): Value {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (shape(value)) return value;
  throw new FrameError("the serial line of the machine carried a damaged frame");
}

/** How many lines are kept. */
const KEPT = 40;
/** The longest line that is kept, in characters. */
const MOST_CHARACTERS = 400;

/** Output of an emulator that is not worth keeping. */
const NOISE = [
  // QEMU: features that its software processor lacks.
  /^\S*qemu\S*: warning: (TCG doesn't support|host doesn't support)/,
  // Bochs: log lines of its devices, its banner, and the instructions that its debugger shows.
  /^\d{11}[ide]\[|^=+$|^Bochs connected to screen|^\s+(Bochs x86 Emulator|Built from|Timestamp:) /,
  /^Next at t=\d+$|^\(\d\)[. ]\[/,
];
/** Messages of an emulator that cannot start. */
const COMPLAINT = /^\S*qemu\S*: (.*)|^\d{11}p\[.*?>>PANIC<< (.*)/;

/** The console of a machine: its last lines, and what they tell about the machine. */
export class VmConsole {
  readonly #lines: string[] = [];
  readonly #decoder = new TextDecoder();
  #rest = "";
  #panic: string | null = null;
  #step: string | null = null;

  /** Adds output of the console. */
  add(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!.slice(0, MOST_CHARACTERS);
    for (const line of lines) this.#addLine(line);
  }

  #addLine(text: string): void {
    const line = text.replaceAll("\r", "").trimEnd().slice(0, MOST_CHARACTERS);
    if (line === "" || NOISE.some((one) => one.test(line))) return;
    const panic = /Kernel panic - not syncing: (.*)/.exec(line);
    if (panic !== null) this.#panic ??= panic[1]!;
    const step = /dirtyring: (\S+)$/.exec(line);
    if (step !== null) this.#step = step[1]!;
    this.#lines.push(line);
    if (this.#lines.length > KEPT) this.#lines.shift();
  }

  /** The last lines, including an unfinished one. */
  get last(): readonly string[] {
    const rest = this.#rest.replaceAll("\r", "").trimEnd();
    return rest === "" ? this.#lines : [...this.#lines, rest];
  }

  /** The message of the kernel's panic, or `null`. */
  get panic(): string | null {
    return this.#panic;
  }

  /** The last step that the command announced, or `null`. */
  get step(): string | null {
    return this.#step;
  }

  /** The message of an emulator that could not start, or `null`. */
  get complaint(): string | null {
    const found = this.last.map((line) => COMPLAINT.exec(line)).findLast((one) => one !== null);
    return found?.[1] ?? found?.[2] ?? null;
  }
}
