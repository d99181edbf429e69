// Process 1 of the machine that `--kernel` boots. Where it cannot even open its serial line, it
// prints the reason on the console.
import { runMachine } from "./vm/init.ts";

if (import.meta.main) {
  try {
    await runMachine();
  } catch (error) {
    console.error(`dirtyring: ${error instanceof Error ? error.message : error}`);
  }
  // When process 1 exits the kernel panics, which ends the machine.
  Deno.exit(1);
}
