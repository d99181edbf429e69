// The program's entry: cli/ parses the command line and prints, commands/ holds the commands.
import { commandLine } from "./cli/command_line.ts";
import { terminal } from "./cli/printing.ts";
import { REGISTRY } from "./commands/registry.ts";

if (import.meta.main) {
  const status = await commandLine(Deno.args, REGISTRY, { terminal, announce: () => {} });
  // Exit explicitly: a listener or a library must not keep the process alive.
  Deno.exit(status);
}
