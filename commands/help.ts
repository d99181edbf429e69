import { UsageError } from "../lab/usage_error.ts";
import { commandHelp, generalHelp, type HelpOption } from "../report/help_text.ts";
import type { Command } from "./command.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { nearest } from "./nearest.ts";
import type { OptionTable } from "./option.ts";
import { COMMAND_NAMES, loadCommand } from "./registry.ts";

function helpOptions(table: OptionTable): HelpOption[] {
  return Object.entries(table).map(([name, { value, help, fallbackText }]) => ({
    name,
    value,
    help,
    fallback: fallbackText,
  }));
}

/**
 * The text of `dirtyring help`.
 *
 * @param name A command; without one, the overview.
 * @returns Lines with their ends.
 * @throws {UsageError} Where there is no such command.
 */
export async function help(name?: string): Promise<Iterable<string>> {
  const options = helpOptions(GLOBAL_OPTIONS);
  if (name !== undefined && name !== "help") {
    const command = await loadCommand(name);
    return commandHelp({ ...command, options: helpOptions(command.options) }, options);
  }
  const commands: Command[] = await Promise.all(COMMAND_NAMES.map(loadCommand));
  return generalHelp(commands, options);
}

/**
 * Names the nearest command of one that does not exist.
 *
 * @param name What was written.
 * @returns The error.
 */
export function unknownCommand(name: string): UsageError {
  const near = nearest(name, [...COMMAND_NAMES, "help"]);
  return new UsageError(
    `unknown command ${name}; did you mean ${near}? (dirtyring help lists all)`,
  );
}
