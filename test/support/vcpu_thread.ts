// The common part of the programs that replace drive/vcpu_thread.ts in tests.
import * as control from "../../drive/vcpu_control.ts";
import { openLibc } from "../../ffi/libc.ts";

/**
 * Begins like drive/vcpu_thread.ts: publishes its thread id, and that it holds. Returns its control
 * words.
 */
export function standStill(order: control.VcpuOrder): Int32Array<SharedArrayBuffer> {
  const { words } = control.vcpuControl(order.control);
  words[control.TID] = openLibc().gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  return words;
}

/** As {@linkcode standStill}, and waits until it is told to do something else. */
export function untilAsked(order: control.VcpuOrder): void {
  const words = standStill(order);
  Atomics.wait(words, control.PHASE, control.HOLD);
}
