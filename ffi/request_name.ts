import * as ioctls from "./kvm_ioctls.ts";

const NAMES = new Map<number, string>(
  Object.entries(ioctls).map(([name, number]) => [number, name]),
);

/**
 * An ioctl request's name.
 *
 * @example
 * ```ts
 * import { requestName } from "./request_name.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([requestName(0xae80), requestName(1)], ["KVM_RUN", "0x1"]);
 * ```
 *
 * @param request The request number.
 * @returns The name, or the number in hexadecimal where this program has no name for it.
 */
export function requestName(request: number): string {
  return NAMES.get(request) ?? `0x${request.toString(16)}`;
}
