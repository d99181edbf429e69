// The host configurations of docs/kernels.md: each of KVM's modules with each way of mapping guest
// memory.
import { UsageError } from "../../host/errors.ts";
import type { VmCpu } from "../../vm/vm_failure.ts";

/** Debian's kernel series to run on, the newest first. */
export const SERIES = ["6.12", "6.1"] as const;

/** A host without its kernel. */
export interface Configuration {
  /** Its name on the command line. */
  readonly name: string;
  /** The vendor of its processor. */
  readonly cpu: VmCpu;
  /** Kernel arguments that make KVM map guests this way; `null` for its default. */
  readonly kernelArgs: string | null;
  /** How guests are mapped, in Markdown. */
  readonly mapping: string;
}

/** All configurations, in the order of the table. */
export const CONFIGURATIONS: readonly Configuration[] = [
  { name: "npt", cpu: "amd", kernelArgs: null, mapping: "nested paging" },
  {
    name: "tdp_mmu=N",
    cpu: "amd",
    kernelArgs: "kvm.tdp_mmu=N",
    mapping: "nested paging, `kvm.tdp_mmu=N`",
  },
  { name: "npt=0", cpu: "amd", kernelArgs: "kvm_amd.npt=0", mapping: "shadow paging, `npt=0`" },
  { name: "pml", cpu: "intel", kernelArgs: null, mapping: "EPT, PML" },
  { name: "pml=0", cpu: "intel", kernelArgs: "kvm_intel.pml=0", mapping: "EPT, `pml=0`" },
  { name: "ept=0", cpu: "intel", kernelArgs: "kvm_intel.ept=0", mapping: "shadow paging, `ept=0`" },
];

/**
 * The configurations that a command line selects.
 *
 * @param words `amd`, `intel`, and names of configurations; no words select all.
 * @returns The configurations, in the order of the table.
 * @throws {UsageError} For an unknown word.
 */
export function pickConfigurations(words: readonly string[]): Configuration[] {
  const known = [...new Set(CONFIGURATIONS.flatMap(({ cpu, name }) => [cpu, name]))];
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new UsageError(`no ${unknown}: there are ${known.join(", ")}`);
  return CONFIGURATIONS.filter(({ cpu, name }) =>
    words.length === 0 || words.includes(cpu) || words.includes(name)
  );
}

/**
 * The series that a command line selects.
 *
 * @param text `6.12,6.1`, or one of them.
 * @returns The series, the newest first.
 * @throws {SyntaxError} For an unknown series.
 */
export function pickSeries(text: string): string[] {
  const wanted = text.split(",");
  if (wanted.some((one) => !SERIES.some((series) => series === one))) {
    throw new SyntaxError(`expected ${SERIES.join(", ")}, or both with a comma`);
  }
  return SERIES.filter((series) => wanted.includes(series));
}

/** The command-line options for a configuration's VMs. */
export function vmOptions({ cpu, kernelArgs }: Configuration): string[] {
  return ["--vm-cpu", cpu, ...(kernelArgs === null ? [] : ["--kernel-args", kernelArgs])];
}

/**
 * A VM's processor, for the table.
 *
 * @param cpu Its vendor.
 * @param emulator The emulator's name, such as `QEMU 7.2.22, in software`.
 * @returns For example `EPYC of QEMU 7.2`.
 */
export function processorText(cpu: VmCpu, emulator: string): string {
  const short = emulator.replace(/^(\D+ \d+\.\d+)[.\d]*/, "$1");
  const [name, how] = short.split(", ");
  if (how !== "in software") return `the host's, ${short}`;
  return `${cpu === "amd" ? "EPYC" : "Skylake-X"} of ${name}`;
}
