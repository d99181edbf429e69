// What stand-ins for a vCPU's thread have in common.
import * as control from "../../drive/vcpu_control.ts";
import { openLibc } from "../../ffi/libc.ts";

/** A vCPU's thread as drive/vcpu_thread.ts begins: it says which it is, and that it stands still. Answers its words. */
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
