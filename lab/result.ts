import type { Slot } from "../ring/slots.ts";
import type { Result } from "./host.ts";
import type { RingVm } from "./guest_vm.ts";
import type { ResolvedOptions } from "./plan.ts";

/** What every result of a lab begins with. */
export interface LabResult extends Result {
  /** The options as resolved. */
  readonly lab: ResolvedOptions;
  /** The guest's memory slots. */
  readonly slots: readonly Slot[];
}

/**
 * The beginning of a lab's result.
 *
 * @param schema What the result is.
 * @param lab The lab.
 * @returns Its beginning.
 */
export function labResult<Schema extends string>(
  schema: Schema,
  lab: RingVm,
): LabResult & { readonly schema: Schema } {
  return { schema, kernel: lab.kernel, lab: lab.plan.options, slots: lab.plan.slots };
}
