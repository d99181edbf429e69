// What a thread of a test has in common with others.
import type { Kernel } from "../../ffi/kernel.ts";
import { openLibc } from "../../ffi/libc.ts";
import * as control from "../../live/vcpu_control.ts";

/** What of a Worker's global scope is used in tests; the compiler's own declarations are a window's. */
export interface WorkerScope<Order, Answer = never> {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage(answer: Answer): void;
  close(): void;
}

/** The scope of the calling file, which is only ever started as a Worker: the cast holds because of that. */
export function workerScope<Order, Answer = never>(): WorkerScope<Order, Answer> {
  return globalThis as unknown as WorkerScope<Order, Answer>;
}

/** A vCPU's thread as live/vcpu_thread.ts begins: it says which it is, and that it stands still. */
export function standStill(order: control.VcpuOrder): {
  readonly kernel: Kernel;
  readonly words: Int32Array<SharedArrayBuffer>;
} {
  const { words } = control.vcpuControl(order.control);
  const kernel = openLibc();
  words[control.TID] = kernel.gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  return { kernel, words };
}

/** As {@linkcode standStill}, until it shall do something else. */
export function untilAsked(order: control.VcpuOrder): void {
  const { words } = standStill(order);
  Atomics.wait(words, control.PHASE, control.HOLD);
}
