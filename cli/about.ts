// Runs the command lines that ask no kernel: dirtyring alone, --help, --version, help, completions.
import { UsageError } from "../host/errors.ts";
import { ABOUT_COMMANDS, type Shell } from "./about_commands.ts";
import type { Registry } from "./command.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { commandHelp, described, loadTopic, overview, topicHelp } from "./help.ts";
import { VERSION } from "./origin.ts";
import { parseLine, parseOperands } from "./parse.ts";
import { TOPIC_NAMES } from "./topics/topics.ts";

/** Lines of help are no longer than this, however wide a terminal is. */
const WIDEST = 100;
/** The width where there is no terminal, or one that does not know its own. */
const USUAL = 80;

/**
 * The width of help.
 *
 * @param columns The width of the terminal; `null` if there is none.
 */
export function helpWidth(columns: number | null): number {
  return Math.min(columns === null || columns < 1 ? USUAL : columns, WIDEST);
}

/**
 * What dirtyring says of itself.
 *
 * @param args The command line: no command, or one of {@linkcode ABOUT_COMMANDS}.
 * @param registry The existing commands.
 * @param columns The width of the terminal; `null` if there is none.
 * @returns Lines with their ends.
 * @throws {UsageError} If the command line is wrong.
 */
export async function about(
  args: readonly string[],
  registry: Registry,
  columns: number | null,
): Promise<Iterable<string>> {
  const width = helpWidth(columns);
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  const command = at === -1 ? undefined : ABOUT_COMMANDS[args[at]!];
  const rest = at === -1 ? args : [...args.slice(0, at), ...args.slice(at + 1)];
  const { color, help, version, verbose } = GLOBAL_OPTIONS;
  const own = { ...command?.options, color, help, version, verbose };
  const { values, operands } = await parseLine(rest, command === undefined ? GLOBAL_OPTIONS : own);
  if (values["version"] === true) return [`dirtyring ${VERSION}\n`];
  if (command === undefined) {
    if (operands.length > 0) {
      const { unknownCommand } = await import("./unknown.ts");
      throw unknownCommand(operands[0]!, registry.names);
    }
    if (args.length > 0 && values["help"] !== true) {
      throw new UsageError("a command is missing; dirtyring help lists them");
    }
    return overview(await described(registry), width);
  }
  if (values["help"] === true) {
    return await helpOf(registry, operands[0] ?? command.name, width);
  }
  const given = parseOperands(command, operands);
  if (command.name === "completions") {
    const { completions } = await import("./completions.ts");
    return await completions(given["shell"] as Shell, registry); // its operand parses no other
  }
  const topic = given["topic"] as string | undefined; // its operand hands on the text
  if (values["man"] === true) {
    if (values["all"] === true) throw new UsageError("--man and --all: expected one of them");
    const { manPage } = await import("./man_page.ts");
    return await manPage(registry, topic);
  }
  if (values["all"] !== true) return await helpOf(registry, topic, width);
  if (topic === undefined) return await everything(registry, width);
  throw new UsageError("--all: tells everything, and takes no command or topic");
}

/**
 * The help of a command or a topic.
 *
 * @param name Its name; the overview if it is not given.
 * @param width The most characters of a line.
 * @returns Lines with their ends.
 * @throws {UsageError} If there is neither a command nor a topic of that name.
 */
export async function helpOf(
  registry: Registry,
  name: string | undefined,
  width: number,
): Promise<Iterable<string>> {
  if (name === undefined) return overview(await described(registry), width);
  if (Object.hasOwn(ABOUT_COMMANDS, name)) return commandHelp(ABOUT_COMMANDS[name]!, width);
  if (registry.names.includes(name)) return commandHelp(await registry.load(name), width);
  if (TOPIC_NAMES.includes(name)) return topicHelp(name, await loadTopic(registry, name), width);
  const { unknownTopic } = await import("./unknown.ts");
  throw unknownTopic(name, registry.names);
}

// The overview, each command, each topic.
async function everything(registry: Registry, width: number): Promise<Iterable<string>> {
  const commands = await described(registry);
  const texts = [overview(commands, width)];
  for (const command of commands) texts.push(commandHelp(command, width));
  for (const name of TOPIC_NAMES) {
    texts.push(topicHelp(name, await loadTopic(registry, name), width));
  }
  const line = `\n${"-".repeat(width)}\n\n`;
  return texts.flatMap((text, n) => n === 0 ? [...text] : [line, ...text]);
}
