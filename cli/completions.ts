// `dirtyring completions SHELL`: the words of all declarations, in a shell's script.
import { ABOUT_COMMANDS, type Described, type Shell } from "./about_commands.ts";
import type { Registry } from "./command.ts";
import type {
  CommandWords,
  OptionWords,
  ValueWords,
  Vocabulary,
} from "./completions/vocabulary.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { described } from "./help.ts";
import type { Operand, Option, OptionTable } from "./option.ts";
import { SHORT } from "./parse.ts";
import { TOPIC_NAMES } from "./topics/topics.ts";

/**
 * The script that completes command lines in a shell.
 *
 * @returns Lines with their ends.
 */
export async function completions(shell: Shell, registry: Registry): Promise<Iterable<string>> {
  const words = await vocabulary(registry);
  switch (shell) {
    case "bash":
      return (await import("./completions/bash.ts")).bashScript(words);
    case "zsh":
      return (await import("./completions/zsh.ts")).zshScript(words);
    case "fish":
      return (await import("./completions/fish.ts")).fishScript(words);
  }
}

/** All that can be completed, by the declarations of commands and options. */
export async function vocabulary(registry: Registry): Promise<Vocabulary> {
  const commands = await described(registry);
  const named = [...commands.map(({ name }) => name), ...TOPIC_NAMES];
  // What --output takes depends on the command.
  const { output: _, ...every } = GLOBAL_OPTIONS;
  return {
    commands: await Promise.all(commands.map((command) => commandWords(command, named))),
    every: await optionWords(every),
  };
}

async function commandWords(command: Described, named: readonly string[]): Promise<CommandWords> {
  const { name, summary, options, operands, formats } = command;
  const hasEvery = !Object.hasOwn(ABOUT_COMMANDS, name);
  const own = await optionWords(hasEvery ? { ...options, output: GLOBAL_OPTIONS.output } : options);
  // What help tells of are commands, too, of which its declaration knows nothing.
  const values = name === "help"
    ? [{ ...NOTHING, words: named }]
    : await Promise.all(repeated(Object.values(operands)).map(valueWords));
  return {
    name,
    summary,
    options: own.map((option) => option.name === "output" ? withFormats(option, formats) : option),
    hasEvery,
    operands: values,
  };
}

// The option with those of its formats that a command has.
function withFormats(option: OptionWords, formats: readonly string[]): OptionWords {
  const { words, fileAfter, ...rest } = option.values;
  const has = (word: string) => formats.includes(word.slice(0, -1));
  return {
    ...option,
    values: { ...rest, words: words.filter(has), fileAfter: fileAfter.filter(has) },
  };
}

async function optionWords(table: OptionTable): Promise<OptionWords[]> {
  return await Promise.all(
    Object.entries(table).map(async ([name, option]) => ({
      name,
      short: SHORT[name] ?? null,
      brief: brief(option.help),
      value: option.value,
      isValueOptional: option.isValueOptional === true,
      values: await valueWords(option),
      isMany: option.isMany === true,
    })),
  );
}

const NOTHING: ValueWords = { words: [], path: null, fileAfter: [], isList: false };

async function valueWords({ choices = [], completes = {} }: Option<unknown>): Promise<ValueWords> {
  const { words = choices, path = null, fileAfter = [], isList = false } = completes;
  return { words: typeof words === "function" ? await words() : words, path, fileAfter, isList };
}

/** The most characters of what a shell shows beside an option. */
const MOST = 70;

// The beginning of a help text, up to its first clause that may be left out.
function brief(help: string): string {
  const clause = help.split(/[;:(]/, 1)[0]!.trim();
  if (clause.length <= MOST) return clause;
  return `${clause.slice(0, MOST).replace(/\s+\S*$/, "")} ...`;
}

/** As many operands as are completed where the last may repeat: a shell's script counts them. */
const MOST_OPERANDS = 9;

function repeated(operands: readonly Operand<unknown>[]): Operand<unknown>[] {
  const last = operands.at(-1);
  if (last?.isMany !== true) return [...operands];
  const more = MOST_OPERANDS - operands.length;
  return [...operands, ...Array.from({ length: more }, () => last)];
}
