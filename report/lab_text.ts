import type { KernelFacts } from "../lab/host.ts";
import type { LabResult } from "../lab/result.ts";
import { countText, sizeText } from "./units.ts";
import { printable } from "../text/printable.ts";

/**
 * Which kernel answered.
 *
 * @param kernel The facts.
 * @returns A line without its end.
 */
export function kernelLine(kernel: KernelFacts): string {
  if (kernel.model !== null) return `kernel  ${modelText(kernel.model)}`;
  const module = kernel.module === null ? "no KVM module known" : printable(kernel.module);
  return `kernel  Linux ${printable(kernel.release)}, ${module}`;
}

// "v6.17+pml" in words.
function modelText(model: string): string {
  const [version, ...traits] = model.split("+");
  const words = traits.map((one) => one === "pml" ? ", with PML" : ", real mode emulated");
  return `model of Linux ${printable(version ?? "")}, in memory${words.join("")}`;
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
  yield `        ${printable(lab.pattern)}, ${countText(lab.pages, "store")} a round, ` +
    `${countText(lab.rounds, "round")}, seed ${lab.seed}\n`;
}
