// A command in the machine that `--kernel` boots: `vm_command.ts COLUMNS [ARGUMENT ...]`, where COLUMNS is the width of
// the terminal that standard output is on the host, and empty where it is none.
import { commandLine } from "./cli/command_line.ts";
import { REGISTRY } from "./commands/registry.ts";

if (import.meta.main) {
  const [columns, ...args] = Deno.args;
  const terminal = columns === "" ? null : { columns: Number(columns) };
  // The kernel's console shows which step was under way when the machine stopped.
  const announce = (what: string) => {
    try {
      Deno.writeTextFileSync("/dev/kmsg", `<3>dirtyring: ${what}\n`);
    } catch {
      // A kernel without /dev/kmsg has no console either.
    }
  };
  Deno.exit(await commandLine(args, REGISTRY, { terminal: () => terminal, announce }));
}
