import * as constants from "./kvm_constants.ts";
import * as ioctls from "./kvm_ioctls.ts";

const REQUEST_NAMES = new Map<number, string>(
  Object.entries(ioctls).map(([name, number]) => [number, name]),
);

/**
 * An ioctl request's name.
 *
 * @example
 * ```ts
 * import { requestName } from "./names.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([requestName(0xae80), requestName(1)], ["KVM_RUN", "0x1"]);
 * ```
 *
 * @returns The name, or the number in hexadecimal if this program has no name for it.
 */
export function requestName(request: number): string {
  return REQUEST_NAMES.get(request) ?? `0x${request.toString(16)}`;
}

const CAPABILITY_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants).flatMap(([name, one]): [number, string][] =>
    name.startsWith("KVM_CAP_") && typeof one === "number" ? [[one, name]] : []
  ),
);

/**
 * A capability's name.
 *
 * @example
 * ```ts
 * import { capabilityName } from "./names.ts";
 * capabilityName(192); // "KVM_CAP_DIRTY_LOG_RING"
 * ```
 *
 * @param number The `KVM_CAP_*` number.
 * @returns The UAPI name, or the number if this program has no name for it.
 */
export function capabilityName(number: number): string {
  return CAPABILITY_NAMES.get(number) ?? `${number}`;
}
