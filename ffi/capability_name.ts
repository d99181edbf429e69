import * as constants from "./kvm_constants.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants).filter(([name]) => name.startsWith("KVM_CAP_"))
    .map(([name, number]) => [number, name]),
);

/**
 * A capability's name.
 *
 * @example
 * ```ts
 * import { capabilityName } from "./capability_name.ts";
 * capabilityName(192); // "KVM_CAP_DIRTY_LOG_RING"
 * ```
 *
 * @param number The `KVM_CAP_*` number.
 * @returns The UAPI name, or the number where this program has none.
 */
export function capabilityName(number: number): string {
  return NAMES.get(number) ?? `${number}`;
}
