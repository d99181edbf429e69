// Runs a command in the machine that `--kernel` boots: `vm_command.ts COLUMNS PROGRESS [ARGUMENT ...]`.
// COLUMNS is the width of the host's terminal, or empty where standard output there is not a
// terminal. PROGRESS is empty where the host does not show the command's progress.
import { commandLine } from "./cli/command_line.ts";
import { guestView } from "./cli/guest_progress.ts";
import { sendLine } from "./cli/printing.ts";
import { REGISTRY } from "./commands/registry.ts";

if (import.meta.main) {
  const [columns, progress, ...args] = Deno.args;
  const terminal = columns === "" ? null : { columns: Number(columns) };
  // The host reads from the kernel's console which step was running when the machine stopped.
  const announce = (what: string) => {
    try {
      Deno.writeTextFileSync("/dev/kmsg", `<3>dirtyring: ${what}\n`);
    } catch {
      // Ignored: a kernel without /dev/kmsg has no console to read from.
    }
  };
  const world = { terminal: () => terminal, announce };
  const view = progress === "" ? {} : { view: guestView(sendLine) };
  Deno.exit(await commandLine(args, REGISTRY, { ...world, ...view }));
}
