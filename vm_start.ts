// Starts the process of a machine: `vm_start.ts PARENT PROGRAM [ARGUMENT ...]` becomes PROGRAM. It
// leaves the terminal (setsid), so that an interrupt there does not reach it, and the
// kernel ends it when PARENT ends, for whatever reason.
import { errnoText } from "./ffi/errors.ts";
import { openMachineCalls } from "./ffi/machine.ts";
import { printable } from "./text/printable.ts";

if (import.meta.main) {
  const [parent, ...command] = Deno.args;
  const failed = openMachineCalls().becomeChildOf(Number(parent), command);
  if (failed < 0) console.error(`dirtyring: ${printable(command[0] ?? "")}: ${errnoText(-failed)}`);
  Deno.exit(1);
}
