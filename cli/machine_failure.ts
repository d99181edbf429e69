import { EXIT } from "../lab/exit_status.ts";
import { oneLine } from "../report/one_line.ts";
import { KernelFileError } from "../vm/kernel_file_error.ts";
import { VmFailure } from "../vm/vm_failure.ts";
import { EndedElsewhere } from "./ended_elsewhere.ts";

/** An error of a machine, to whom it is told. */
export interface MachineFailure {
  /** The exit status; `null` where the error's own class decides it. */
  readonly status: number | null;
  /** Whether all was told in the machine. */
  readonly isTold: boolean;
  /** Lines behind the error's. */
  readonly lines: readonly string[];
  /** Whether it says nothing about the kernel of a commit, which may not have been built. */
  readonly saysNothing: boolean;
}

/**
 * What an error says that came of machines.
 *
 * @param error The error.
 * @returns What is said of it, or `null` where it is one as any command has.
 */
export function machineFailure(error: unknown): MachineFailure | null {
  const nothing = { status: null, isTold: false, lines: [], saysNothing: false };
  if (error instanceof EndedElsewhere) return { ...nothing, status: error.status, isTold: true };
  if (error instanceof KernelFileError) return { ...nothing, saysNothing: true };
  if (!(error instanceof VmFailure)) return null;
  // The kernel may have written anything to its console.
  const last = error.console.map((line) => `  ${oneLine(line)}`);
  const lines = last.length === 0 ? [] : ["the last lines of its console:", ...last];
  return { ...nothing, status: EXIT.MACHINE, lines };
}
