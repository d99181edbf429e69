// What stand-ins for a vCPU's thread have in common.
import { openLibc } from "../../ffi/libc.ts";
import * as control from "../../live/vcpu_control.ts";

/** A vCPU's thread as live/vcpu_thread.ts begins: it says which it is, and that it stands still. Answers its words. */
export function standStill(order: control.VcpuOrder): Int32Array<SharedArrayBuffer> {
  const { words } = control.vcpuControl(order.control);
  words[control.TID] = openLibc().gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  return words;
}

/** As {@linkcode standStill}, until it shall do something else. */
export function untilAsked(order: control.VcpuOrder): void {
  const words = standStill(order);
  Atomics.wait(words, control.PHASE, control.HOLD);
}
