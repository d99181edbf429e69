// The commands that tell of dirtyring itself, and ask no kernel: help and completions. They are declared
// as others are, so that they are parsed, described and completed in the same way.
import type { Command } from "./command.ts";
import { choice, flag } from "./option.ts";
import { TOPIC_NAMES } from "./topics/topics.ts";

/** What help, completions and the manual say of a command, of those that ask no kernel too. */
export type Described = Pick<
  Command,
  "name" | "summary" | "details" | "operands" | "options" | "often" | "formats" | "examples"
>;

/** The shells for which there are completions. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell for which there are completions. */
export type Shell = typeof SHELLS[number];

const HELP: Described = {
  name: "help",
  summary: "this overview; all about a command or a topic",
  details:
    "The overview lists the commands and the topics. Lines are as wide as the terminal, up to 100 " +
    "columns, and 80 where there is none.",
  operands: {
    topic: {
      value: "COMMAND|TOPIC",
      help: "what to tell of",
      fallback: undefined,
      fallbackText: "the overview",
      isRequired: false,
      choices: TOPIC_NAMES,
      parse: (text) => text,
    },
  },
  options: {
    all: flag("everything in one go: the overview, each command, each topic"),
    man: flag("the manual's page, of a command or of the program, for man -l -"),
  },
  often: [],
  formats: [],
  examples: [
    ["dirtyring help dump", "every option, with its default"],
    ["dirtyring help glossary", "the words"],
    ["dirtyring help --all", "everything, to search in"],
    ["dirtyring help --man check", "its page of the manual: dirtyring help --man check | man -l -"],
  ],
};

const COMPLETIONS: Described = {
  name: "completions",
  summary: "a script for bash, zsh or fish that completes command lines",
  details:
    "The script completes commands, options and their values: patterns, ids of statements, models, " +
    "formats, files. It asks nobody at the prompt, so that it is to be made anew after an update. Source " +
    "it, or put it where the shell looks for completions: in bash a file dirtyring in " +
    "~/.local/share/bash-completion/completions, in zsh a file _dirtyring in a folder of fpath, in fish " +
    "a file dirtyring.fish in ~/.config/fish/completions.",
  operands: {
    shell: { ...choice("the shell", SHELLS), value: "SHELL", fallbackText: null, isRequired: true },
  },
  options: {},
  often: [],
  formats: [],
  examples: [
    ["dirtyring completions bash", "in ~/.bashrc: source <(dirtyring completions bash)"],
    [
      "dirtyring completions zsh",
      "in ~/.zshrc, after compinit: source <(dirtyring completions zsh)",
    ],
    ["dirtyring completions fish", "in config.fish: dirtyring completions fish | source"],
  ],
};

/** The commands that ask no kernel, by name, in the order in which help lists them after the others. */
export const ABOUT_COMMANDS: Readonly<Record<string, Described>> = {
  help: HELP,
  completions: COMPLETIONS,
};
