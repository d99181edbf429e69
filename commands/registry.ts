import type { Command } from "./command.ts";

/** The names of the commands, in the order of help. */
export const COMMAND_NAMES: readonly string[] = [
  "probe",
  "enable",
  "dump",
  "reset",
  "stats",
  "run",
];

/**
 * Loads a part of the program when it is needed. Deno reads every file that an import names literally
 * before it runs a line, and a third of a millisecond each adds up; a name that is computed is only
 * resolved here, for which a program needs permission to read its own files.
 *
 * @param file The module, relative to this folder.
 * @returns Its namespace; the caller names the type that it knows.
 */
export function loadModule(file: string): Promise<unknown> {
  return import(new URL(file, import.meta.url).href);
}

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
    const { unknownCommand } = await loadModule("./help.ts") as typeof import("./help.ts");
    throw unknownCommand(name);
  }
  return (await loadModule(`./${name}.ts`) as { readonly command: Command }).command;
}
