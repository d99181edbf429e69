// Process 1 of the machine that `--kernel` boots. Where it cannot even open its serial line, the console tells why.
import { runMachine } from "./vm/init.ts";

if (import.meta.main) {
  try {
    await runMachine();
  } catch (error) {
    console.error(`dirtyring: ${error instanceof Error ? error.message : error}`);
  }
  // The kernel panics, which ends the machine, too.
  Deno.exit(1);
}
