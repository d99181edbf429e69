import type { KernelState } from "../lab/kernel_state.ts";
import type { ResetRing } from "../lab/reset_pass.ts";
import { table } from "./table.ts";

/**
 * A ring's private state.
 *
 * @param state The state.
 * @returns A line without its end.
 */
export function kernelStateLine(state: KernelState): string {
  return `kernel: dirty_index ${state.dirtyIndex}, reset_index ${state.resetIndex}, ` +
    `size ${state.size}, soft limit ${softLimitText(state)}`;
}

/**
 * The private state of rings before and after a pass; nothing where it was not asked for.
 *
 * @param rings The rings.
 * @returns Lines with their ends.
 */
export function* kernelStateText(rings: readonly ResetRing[]): Generator<string> {
  const rows = rings.flatMap(({ vcpu, kernelState }) =>
    kernelState === null ? [] : [
      [`vCPU ${vcpu} before`, ...cells(kernelState.before)],
      [`vCPU ${vcpu} after`, ...cells(kernelState.after)],
    ]
  );
  if (rows.length === 0) return;
  yield* table(
    [["kernel", "dirty_index", "reset_index", "size", "soft limit"], ...rows],
    ["left", "right", "right", "right", "right"],
  );
}

function cells(state: KernelState): string[] {
  const { dirtyIndex, resetIndex, size } = state;
  return [`${dirtyIndex}`, `${resetIndex}`, `${size}`, softLimitText(state)];
}

function softLimitText({ softLimit, softLimitInferred }: KernelState): string {
  if (softLimit === null) return "unknown";
  return softLimitInferred ? `${softLimit} (inferred)` : `${softLimit}`;
}
