import type { KernelFacts } from "../lab/host.ts";
import type { LabResult } from "../lab/result.ts";
import { countText, sizeText } from "./units.ts";

/**
 * Which kernel answered.
 *
 * @param kernel The facts.
 * @returns A line without its end.
 */
export function kernelLine(kernel: KernelFacts): string {
  return `kernel  Linux ${kernel.release}, ${kernel.module ?? "no KVM module known"}`;
}

/**
 * Which kernel answered and what the lab was.
 *
 * @param result Any lab's result.
 * @returns Lines with their ends.
 */
export function* labHead(result: LabResult): Generator<string> {
  const { lab, kernel } = result;
  yield `${kernelLine(kernel)}\n`;
  yield `lab     ${lab.guest} guest, ${countText(lab.vcpus, "vCPU")}, ${sizeText(lab.memory)} in ` +
    `${countText(lab.slots, "slot")}, rings of ${lab.ring} entries\n`;
  yield `        ${lab.pattern}, ${countText(lab.pages, "store")} a round, ` +
    `${countText(lab.rounds, "round")}, seed ${lab.seed}\n`;
}
