// Runs a command in the machine that `--kernel` boots: `vm_command.ts COLUMNS [ARGUMENT ...]`.
// COLUMNS is the width of the host's terminal, or empty where standard output there is not a
// terminal.
import { commandLine } from "./cli/command_line.ts";
import { REGISTRY } from "./commands/registry.ts";

if (import.meta.main) {
  const [columns, ...args] = Deno.args;
  const terminal = columns === "" ? null : { columns: Number(columns) };
  // The host reads from the kernel's console which step was running when the machine stopped.
  const announce = (what: string) => {
    try {
      Deno.writeTextFileSync("/dev/kmsg", `<3>dirtyring: ${what}\n`);
    } catch {
      // Ignored: a kernel without /dev/kmsg has no console to read from.
    }
  };
  Deno.exit(await commandLine(args, REGISTRY, { terminal: () => terminal, announce }));
}
