/**
 * Shares stores out between the vCPUs that have a block to store to.
 *
 * @example
 * ```ts
 * import { quotas } from "./quotas.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quotas([{ stores: 2 }, { stores: 1 }, { stores: 0 }], 7), [4, 3, 0]);
 * ```
 *
 * @param vcpus The vCPUs, with the stores of their blocks.
 * @param stores Stores in all; `null` for no end.
 * @returns Stores for each vCPU.
 */
export function quotas(
  vcpus: readonly { readonly stores: number }[],
  stores: number | null,
): readonly number[] {
  let able = vcpus.filter((vcpu) => vcpu.stores > 0).length;
  let left = stores ?? Infinity;
  return vcpus.map((vcpu) => {
    if (vcpu.stores === 0) return 0;
    const share = stores === null ? Infinity : Math.ceil(left / able);
    able--;
    left -= share;
    return share;
  });
}
