import type { Command } from "./command.ts";

// Each is loaded when it is asked for, by the name that stands here: a name that is computed would be seen neither by
// the type check nor by test/house_test.ts.
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  probe: () => import("./probe.ts"),
  enable: () => import("./enable.ts"),
  dump: () => import("./dump.ts"),
  reset: () => import("./reset.ts"),
  stats: () => import("./stats.ts"),
  run: () => import("./run.ts"),
  check: () => import("./check.ts"),
  checkpoint: () => import("./checkpoint.ts"),
  bench: () => import("./bench.ts"),
};

/** The names of the commands, in the order of help. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/**
 * Loads a command.
 *
 * @param name Its name.
 * @returns The command.
 * @throws {UsageError} Where there is none of that name; names the nearest.
 */
export async function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    const { unknownCommand } = await import("./unknown_command.ts");
    throw unknownCommand(name, COMMAND_NAMES);
  }
  return (await load()).command;
}
