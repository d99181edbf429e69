import type { Kernel } from "../../ffi/kernel.ts";
import { O_CLOEXEC, O_RDWR, PAGE_SIZE } from "../../ffi/linux.ts";
import { requestName } from "../../ffi/names.ts";
import { memoryFile } from "../../ffi/process.ts";
import { Mapping } from "../../kvm/mapping.ts";

/** What a process was last seen to do. */
export interface Step {
  /** ioctl() calls that it has begun. */
  readonly calls: number;
  /** The last one's name; `null` where there was none. */
  readonly request: string | null;
  /** Milliseconds that it has been in it; `null` where it has returned. */
  readonly waitingMs: number | null;
}

/** Where the numbers stand: calls begun, calls ended, the last request, when it began (Unix time in ms). */
const BEGUN = 0;
const ENDED = 1;
const REQUEST = 2;
const BEGAN = 3;

/**
 * A page of memory in which a child notes each ioctl() before it makes it, so that its parent can tell what one waited
 * for that never came back: in that, it cannot speak. It costs the child some stores a call.
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
   * Makes a board, in a file that has no name.
   *
   * @returns The board; `null` on a model, or where there is no room.
   */
  static create(kernel: Kernel): StepBoard | null {
    if (kernel.backend === "model") return null;
    try {
      using file = memoryFile("steps", [new Uint8Array(PAGE_SIZE)]);
      const fd = kernel.open(file.path, O_RDWR | O_CLOEXEC);
      return fd < 0 ? null : new StepBoard(kernel, fd);
    } catch {
      return null; // It tells more of a failure; a check needs none.
    }
  }

  /** Where another process of the same user finds it. */
  get path(): string {
    return `/proc/${Deno.pid}/fd/${this.#fd}`;
  }

  /** Forgets what was noted: another check begins. */
  clear(): void {
    this.#numbers.fill(0);
  }

  /** What was noted last. */
  get step(): Step {
    const [calls, ended, request, began] = [BEGUN, ENDED, REQUEST, BEGAN]
      .map((at) => this.#numbers[at]!) as [number, number, number, number];
    return {
      calls,
      request: calls === 0 ? null : requestName(request),
      waitingMs: calls > ended ? Math.max(0, Date.now() - began) : null,
    };
  }

  /** Gives it back. */
  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
    this.#kernel.close(this.#fd);
  }
}

/**
 * Reaches a parent's board, for as long as this process lives.
 *
 * @param path The board's path, as its parent told it.
 * @returns Makes a kernel one that notes each ioctl() there; it notes nothing where the board cannot be reached.
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
 * A step in words.
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
 * @returns Words that can follow a colon.
 */
export function stepText({ calls, request, waitingMs }: Step): string {
  if (request === null) return "before its first ioctl()";
  if (waitingMs === null) return `between ioctl() calls, ${request} the last of ${calls}`;
  return `in ${request} for ${(waitingMs / 1000).toFixed(1)} s, ioctl() ${calls}`;
}

function numbersOf({ bytes }: Mapping): Float64Array<ArrayBuffer> {
  return new Float64Array(bytes.buffer, bytes.byteOffset, 4);
}
