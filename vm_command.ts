// Runs a command in the machine that `--kernel` boots: `vm_command.ts START [ARGUMENT ...]`.
// START is JSON: what the machine's process 1 was told of the host.
import { commandLine } from "./cli/command_line.ts";
import { guestView } from "./cli/guest_progress.ts";
import { sendLine } from "./cli/printing.ts";
import { REGISTRY } from "./commands/registry.ts";
import type { GuestStart } from "./vm/guest_request.ts";

if (import.meta.main) {
  const [start, ...args] = Deno.args;
  const { terminal, isColoured, progress, host }: GuestStart = JSON.parse(start!);
  // The host reads from the kernel's console which step was running when the machine stopped.
  const announce = (what: string) => {
    try {
      Deno.writeTextFileSync("/dev/kmsg", `<3>dirtyring: ${what}\n`);
    } catch {
      // Ignored: a kernel without /dev/kmsg has no console to read from.
    }
  };
  const world = { terminal: () => terminal, isColoured, announce, host };
  const view = progress ? { view: guestView(sendLine) } : {};
  Deno.exit(await commandLine(args, REGISTRY, { ...world, ...view }));
}
