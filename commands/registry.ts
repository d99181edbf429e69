import type { Command, Registry } from "../cli/command.ts";

// Commands are loaded on demand. Each import has a literal path: the type check and
// test/house/imports_test.ts would not see a computed one.
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  probe: () => import("./probe/command.ts"),
  enable: () => import("./enable/command.ts"),
  dump: () => import("./dump/command.ts"),
  reset: () => import("./reset/command.ts"),
  stats: () => import("./stats/command.ts"),
  run: () => import("./run/command.ts"),
  live: () => import("./live/command.ts"),
  checkpoint: () => import("./checkpoint/command.ts"),
  restore: () => import("./restore/command.ts"),
  check: () => import("./check/command.ts"),
  fuzz: () => import("./fuzz/command.ts"),
  bench: () => import("./bench/command.ts"),
  compare: () => import("./compare/command.ts"),
};

/** Options that became commands of their own: by command and option, how to write them now. */
const MOVED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: { live: "live" },
  checkpoint: { restore: "restore DIR" },
  check: { fuzz: "fuzz N", "fuzz-file": "fuzz --file FILE" },
};

/** The names of the commands, in the order of `help`. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/**
 * Loads a command.
 *
 * @throws {UsageError} If no command has that name; the message suggests the nearest one.
 */
export async function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    const { unknownCommand } = await import("../cli/unknown.ts");
    throw unknownCommand(name, COMMAND_NAMES);
  }
  return (await load()).command;
}

function movedFrom(name: string): Readonly<Record<string, string>> {
  const moved = Object.entries(MOVED[name] ?? {}).map(([option, now]) => [
    option,
    `${name} --${option} is a command of its own: dirtyring ${now}`,
  ]);
  return Object.fromEntries(moved);
}

/** The registry that the command line works with. */
export const REGISTRY: Registry = { names: COMMAND_NAMES, load: loadCommand, movedFrom };
