// The errors for names that nothing has: they name what comes nearest.
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import { ABOUT_COMMANDS } from "./about_commands.ts";
import { nearest } from "./nearest.ts";
import { TOPIC_NAMES } from "./topics/topics.ts";

/**
 * The error for a command that does not exist; it names what comes nearest: a command, a topic of
 * help, an option.
 *
 * @param names The existing commands.
 */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = (words: readonly string[]) => nearest(name, words);
  const isTopic = TOPIC_NAMES.includes(name);
  const command = isTopic ? null : near([...names, ...Object.keys(ABOUT_COMMANDS)]);
  const topic = command === null ? near(TOPIC_NAMES) : null;
  const option = topic === null ? near(["version"]) : null;
  const meant = command ??
    (topic !== null ? `help ${topic}` : option === null ? null : `--${option}`);
  return unknown("command", name, meant);
}

/**
 * The error for what help knows nothing of.
 *
 * @param names The existing commands.
 */
export function unknownTopic(name: string, names: readonly string[]): UsageError {
  const near = nearest(name, [...names, ...Object.keys(ABOUT_COMMANDS), ...TOPIC_NAMES]);
  return unknown("command or topic", name, near === null ? null : `help ${near}`);
}

function unknown(kind: string, name: string, meant: string | null): UsageError {
  const what = `${kind} ${name === "" ? '""' : printable(name)}`;
  return new UsageError(
    meant === null
      ? `unknown ${what}; dirtyring help lists all`
      : `unknown ${what}; did you mean dirtyring ${meant}? (dirtyring help lists all)`,
  );
}
