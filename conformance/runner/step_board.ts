// Shows the parent which ioctl() a child hangs in.
import type { Kernel } from "../../ffi/kernel.ts";
import { O_CLOEXEC, O_RDWR, PAGE_SIZE } from "../../ffi/linux.ts";
import { requestName } from "../../ffi/names.ts";
import { memoryFile } from "../../ffi/process.ts";
import { Mapping } from "../../kvm/mapping.ts";

/** What a child process was last seen doing. */
export interface Step {
  /** The number of ioctl() calls begun. */
  readonly calls: number;
  /** The name of the last one; `null` where there was none. */
  readonly request: string | null;
  /** How long it has been in that call, in milliseconds; `null` where the call has returned. */
  readonly waitingMs: number | null;
}

/**
 * Indices of the numbers on the board: calls begun, calls ended, the last request, and when it
 * began (Unix time in ms).
 */
const BEGUN = 0;
const ENDED = 1;
const REQUEST = 2;
const BEGAN = 3;

/**
 * A page of shared memory in which a child notes each ioctl() before the call. A child that hangs
 * in the kernel cannot report anything; its parent then reads the board to see which call never
 * returned. The cost is a few stores for each call.
 */
export class StepBoard implements Disposable {
  readonly #kernel: Kernel;
  readonly #fd: number;
  readonly #mapping: Mapping;
  readonly #numbers: Float64Array<ArrayBuffer>;

  private constructor(kernel: Kernel, fd: number) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#mapping = Mapping.shared(kernel, fd, 0, PAGE_SIZE, "steps");
    this.#numbers = numbersOf(this.#mapping);
  }

  /**
   * Makes a board in an anonymous file (a memfd).
   *
   * @returns The board, which the caller owns; `null` on the model, or where it cannot be made.
   */
  static create(kernel: Kernel): StepBoard | null {
    if (kernel.backend === "model") return null;
    try {
      using file = memoryFile("steps", [new Uint8Array(PAGE_SIZE)]);
      const fd = kernel.open(file.path, O_RDWR | O_CLOEXEC);
      return fd < 0 ? null : new StepBoard(kernel, fd);
    } catch {
      return null; // The board only improves the text of a failure: checks work without it.
    }
  }

  /** A path under which another process of the same user can open it. */
  get path(): string {
    return `/proc/${Deno.pid}/fd/${this.#fd}`;
  }

  /** Clears the board for the next check. */
  clear(): void {
    this.#numbers.fill(0);
  }

  /** What the child noted last. */
  get step(): Step {
    const [calls, ended, request, began] = [BEGUN, ENDED, REQUEST, BEGAN]
      .map((at) => this.#numbers[at]!) as [number, number, number, number];
    return {
      calls,
      request: calls === 0 ? null : requestName(request),
      waitingMs: calls > ended ? Math.max(0, Date.now() - began) : null,
    };
  }

  /** Unmaps the page and closes the file. */
  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
    this.#kernel.close(this.#fd);
  }
}

/**
 * Opens a parent's board. It stays mapped for as long as this process lives.
 *
 * @param path The board's path ({@linkcode StepBoard.path}).
 * @returns Wraps a kernel so that each ioctl() is noted on the board; returns it unchanged where
 * the board cannot be opened.
 */
export function noteSteps(kernel: Kernel, path: string): (kernel: Kernel) => Kernel {
  const fd = kernel.open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return (kernel) => kernel;
  const numbers = numbersOf(Mapping.shared(kernel, fd, 0, PAGE_SIZE, "steps"));
  kernel.close(fd);
  return (kernel) => noting(kernel, numbers);
}

function noting(kernel: Kernel, numbers: Float64Array<ArrayBuffer>): Kernel {
  const noted = (request: number, call: () => number): number => {
    numbers[REQUEST] = request;
    numbers[BEGAN] = Date.now();
    numbers[BEGUN]! += 1;
    const answer = call();
    numbers[ENDED]! += 1;
    return answer;
  };
  return {
    ...kernel,
    ioctl: (fd, request, argument) => noted(request, () => kernel.ioctl(fd, request, argument)),
    ioctlElsewhere: (fd, request) => noted(request, () => kernel.ioctlElsewhere(fd, request)),
  };
}

/**
 * A step as text.
 *
 * @example
 * ```ts
 * import { stepText } from "./step_board.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = stepText({ calls: 57, request: "KVM_RUN", waitingMs: 9800 });
 * assertEquals(text, "in KVM_RUN for 9.8 s, ioctl() 57");
 * ```
 *
 * @returns Text that can follow a colon.
 */
export function stepText({ calls, request, waitingMs }: Step): string {
  if (request === null) return "before its first ioctl()";
  if (waitingMs === null) return `between ioctl() calls, ${request} the last of ${calls}`;
  return `in ${request} for ${(waitingMs / 1000).toFixed(1)} s, ioctl() ${calls}`;
}

function numbersOf({ bytes }: Mapping): Float64Array<ArrayBuffer> {
  return new Float64Array(bytes.buffer, bytes.byteOffset, 4);
}
