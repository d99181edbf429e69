// What the machine's first process says in JSON. The kernel under test may have it say anything.
import { EXIT } from "../lab/exit_status.ts";
import type { KernelFacts } from "../lab/host.ts";
import { type Frame, FrameError } from "./frames.ts";
import type { GuestEnd, GuestFile, GuestProblem } from "./guest_request.ts";
import { count, list, orNull, record, type Shape, text, word } from "./shape.ts";

/** The largest that an exit status, and an errno, can be. */
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

/** Exit statuses, and what git takes are some of them: a command that ended with another did not end by itself. */
export const COMMAND_STATUSES: ReadonlySet<number> = new Set(Object.values(EXIT));

/** How a command ended. */
export const GUEST_END: Shape<GuestEnd> = record<GuestEnd>({ code: count(MOST_STATUS) });

/** A file that it wrote. */
export const GUEST_FILE: Shape<GuestFile> = record<GuestFile>({ output: text, below: text });

/** Why there is no KVM. */
export const GUEST_PROBLEM: Shape<GuestProblem> = record<GuestProblem>({
  refused: list(record<{ name: string; errno: number }>({ name: text, errno: count(MOST_ERRNO) })),
  words: list(text),
  error: orNull(text),
});

/**
 * What a frame says.
 *
 * @param frame The frame.
 * @param shape What it must be.
 * @returns The value.
 * @throws {FrameError} Where it is something else.
 */
export function said<Value>({ body }: Frame, shape: Shape<Value>): Value {
  return saidIn(new TextDecoder().decode(body), shape);
}

/**
 * What a line says that a command printed in a machine.
 *
 * @param line JSON.
 * @param shape What it must be.
 * @returns The value.
 * @throws {FrameError} Where it is something else.
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
