// The command line: what it holds stands in cli/, what it does in commands/.
import { commandLine } from "./cli/command_line.ts";
import { terminal } from "./cli/printing.ts";
import { REGISTRY } from "./commands/registry.ts";

if (import.meta.main) {
  const status = await commandLine(Deno.args, REGISTRY, { terminal, announce: () => {} });
  // Not by returning: a listener or a library must not be able to keep the process alive.
  Deno.exit(status);
}
