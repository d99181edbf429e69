import type { LabResult } from "../lab/result.ts";

/**
 * What a reader of measured times should know.
 *
 * @param backend Which kernel answered.
 * @param emulated Whether KVM emulates the guest's stores.
 * @param understated What the emulation understates, and what else it does.
 * @returns Lines with their ends; none where the times are a processor's and a kernel's.
 */
export function* timesNote(
  backend: LabResult["kernel"]["backend"],
  emulated: boolean,
  understated: string,
): Generator<string> {
  if (backend === "model") yield "  These are times of the model, in memory: no kernel's.\n";
  if (!emulated) return;
  yield "  This KVM emulates the guest's stores: there are no guest mappings to re-protect,\n" +
    `  which understates ${understated}.\n`;
}
