// From the options of `--kernel` to the machines that they describe.
import { UsageError } from "../host/errors.ts";
import type { HostOrigin } from "../vm/guest_request.ts";
import type { MachineChoice } from "../vm/prepare.ts";
import type { VmAccel, VmCpu } from "../vm/vm_failure.ts";
import { optionName, VM_OPTIONS, withoutOptions } from "./global_options.ts";

/** What `--kernel` and its companion options ask for. */
export interface MachineRequest {
  /** The machines, at least one. */
  readonly choices: readonly MachineChoice[];
  /**
   * The command line without these options and without operands; the command's name comes first.
   */
  readonly args: readonly string[];
  /** The command's operands. */
  readonly operands: readonly string[];
  /** What results made in the machines tell of this side. */
  readonly host: HostOrigin;
}

/**
 * The machines that a command line asks for. `--kernel`, `--modules`, `--kernel-args` and
 * `--vm-cpu` may each be given once for all machines, or once for each.
 *
 * @param values The values of all options.
 * @param args The command line: the command's name first, each option and its value in one word.
 * @param operands The command's operands.
 * @param host What results tell of this side.
 * @returns The machines; `null` if `--kernel` is not given.
 * @throws {UsageError} If the options do not fit together.
 */
export function machineRequest(
  values: Readonly<Record<string, unknown>>,
  args: readonly string[],
  operands: readonly string[],
  host: HostOrigin,
): MachineRequest | null {
  // The options of VM_OPTIONS parsed these values, so the casts hold.
  const kernels = values["kernel"] as readonly string[];
  const named = new Set(args.map(optionName));
  const given = Object.keys(VM_OPTIONS).filter((name) => named.has(name));
  if (kernels.length === 0) {
    if (given.length === 0) return null;
    throw new UsageError(`--${given[0]}: goes with --kernel, of whose machine it tells`);
  }
  if (values["backend"] !== undefined && values["backend"] !== "kvm") {
    throw new UsageError(
      `--backend ${values["backend"]}: does not go with --kernel, which asks a real one`,
    );
  }
  const lists = {
    kernel: kernels,
    modules: values["modules"] as readonly string[],
    "kernel-args": values["kernel-args"] as readonly string[],
    "vm-cpu": values["vm-cpu"] as readonly VmCpu[],
  };
  const count = Math.max(...Object.values(lists).map(({ length }) => length));
  for (const [name, { length }] of Object.entries(lists)) {
    if (length > 1 && length !== count) {
      throw new UsageError(
        `--${name}: given ${length} times for ${count} machines; expected it once, or once for each`,
      );
    }
  }
  const nth = <Value>(list: readonly Value[], n: number) => list.length > 1 ? list[n] : list[0];
  const timeoutMs = (values["vm-timeout"] as number | undefined) ?? null;
  const choices = Array.from({ length: count }, (_, n) => ({
    kernel: nth(kernels, n)!,
    modules: nth(lists.modules, n) ?? null,
    settings: {
      accel: values["vm-accel"] as VmAccel,
      cpu: nth(lists["vm-cpu"], n) ?? null,
      cpus: (values["vm-cpus"] as number | undefined) ?? null,
      memoryBytes: values["vm-memory"] as number,
      timeoutMs,
      kernelArgs: nth(lists["kernel-args"], n) ?? "",
    },
  }));
  return { choices, args: withoutOptions(args, Object.keys(VM_OPTIONS)), operands, host };
}

/**
 * Options that say how a result is written, and where to: where results of machines are put
 * together they are this side's.
 */
export const WRITING: readonly string[] = [
  "format",
  "output",
  "times",
  "no-times",
  "no-provenance",
  "color",
  "quiet",
  "only-failures",
  "no-header",
];

/**
 * The command line for a machine.
 *
 * @param args The command's name and options.
 * @param operands Its operands, which may begin with a dash and therefore follow `--`.
 */
export function lineOf(args: readonly string[], operands: readonly string[]): readonly string[] {
  return operands.length === 0 ? args : [...args, "--", ...operands];
}
