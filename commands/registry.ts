import type { Command } from "./command.ts";
import { loadModule } from "./load_module.ts";

/** The names of the commands, in the order of help. */
export const COMMAND_NAMES: readonly string[] = [
  "probe",
  "enable",
  "dump",
  "reset",
  "stats",
  "run",
  "check",
  "checkpoint",
  "bench",
];

/**
 * Loads a command.
 *
 * @param name Its name.
 * @returns The command.
 * @throws {UsageError} Where there is none of that name; names the nearest.
 */
export async function loadCommand(name: string): Promise<Command> {
  if (!COMMAND_NAMES.includes(name)) {
    // Each cast below names what the module behind it exports; test/commands_test.ts loads them all.
    const module = await loadModule(
      "./unknown_command.ts",
    ) as typeof import("./unknown_command.ts");
    throw module.unknownCommand(name, COMMAND_NAMES);
  }
  return (await loadModule(`./${name}.ts`) as { readonly command: Command }).command;
}
