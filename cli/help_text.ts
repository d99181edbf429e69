import { table } from "../report/table.ts";

/** An option as help shows it. */
export interface HelpOption {
  /** Its name, without the two dashes. */
  readonly name: string;
  /** What stands for its value; `null` for a flag. */
  readonly value: string | null;
  /** What it means. */
  readonly help: string;
  /** Its default; `null` where there is none to show. */
  readonly fallback: string | null;
}

/** The options of every command as help shows them: its own affairs, and the machine of `--kernel`. */
export interface GlobalOptions {
  /** Those of the program. */
  readonly program: readonly HelpOption[];
  /** Those that ask another kernel. */
  readonly machine: readonly HelpOption[];
}

/** A command as help shows it. */
export interface HelpCommand {
  /** Its name. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** What a person should know beyond that. */
  readonly details: string;
  /** Command lines, each with what it shows. */
  readonly examples: readonly (readonly [string, string])[];
}

/** A command with all that it takes. */
export interface WholeCommand extends HelpCommand {
  /** How it is written. */
  readonly usage: string;
  /** What it takes by its place. */
  readonly operands: readonly HelpOption[];
  /** Its options. */
  readonly options: readonly HelpOption[];
}

/** Exit statuses that mean the same, and what. */
export type HelpStatus = readonly [numbers: readonly number[], meaning: string];

const WIDTH = 80;

/**
 * The overview.
 *
 * @param commands All commands.
 * @param globals The options of every command.
 * @param statuses The exit statuses.
 * @returns Lines with their ends.
 */
export function* generalHelp(
  commands: readonly HelpCommand[],
  globals: GlobalOptions,
  statuses: readonly HelpStatus[],
): Generator<string> {
  yield "dirtyring: a laboratory for KVM's dirty ring\n\n";
  yield "usage: dirtyring COMMAND [OPTION ...]\n\n";
  const rows = [
    ...commands.map(({ name, summary }) => [name, summary]),
    ["help", "this overview, or with a command's name all about it"],
  ];
  yield* table(rows, ["left", "left"], "  ");
  yield* globalsText(globals);
  yield "\n";
  yield* table(
    statuses.map(([numbers, meaning], n) => [
      `${n === 0 ? "exit status " : ""}${numbers.join(", ")}`,
      meaning,
    ]),
    ["right", "left"],
  );
}

/**
 * All about a command.
 *
 * @param command The command.
 * @param globals The options of every command.
 * @returns Lines with their ends.
 */
export function* commandHelp(
  command: WholeCommand,
  globals: GlobalOptions,
): Generator<string> {
  const { name, summary, usage, details, operands, options, examples } = command;
  yield `dirtyring ${name}: ${summary}\n\n`;
  yield `usage: ${usage}\n\n`;
  yield* wrap(details, WIDTH, "");
  if (operands.length > 0) yield "\n";
  for (const operand of operands) yield* optionText(`${operand.value}`, operand);
  yield "\noptions:\n";
  yield* optionsText(options);
  yield* globalsText(globals);
  yield "\nexamples:\n";
  for (const [line, shows] of examples) yield `  ${line}\n      ${shows}\n`;
}

function* globalsText({ program, machine }: GlobalOptions): Generator<string> {
  yield "\noptions of every command, to ask another kernel than this host's:\n";
  yield* optionsText(machine);
  yield "\noptions of every command:\n";
  yield* optionsText(program);
}

function* optionsText(options: readonly HelpOption[]): Generator<string> {
  for (const option of options) {
    const { name, value } = option;
    yield* optionText(`--${name}${value === null ? "" : ` ${value}`}`, option);
  }
}

function* optionText(written: string, { help, fallback }: HelpOption): Generator<string> {
  yield `  ${written}\n`;
  yield* wrap(fallback === null ? help : `${help} (default: ${fallback})`, WIDTH, "      ");
}

// Breaks a text between words.
function* wrap(text: string, width: number, indent: string): Generator<string> {
  let line = indent;
  for (const word of text.split(" ")) {
    if (line !== indent && line.length + 1 + word.length > width) {
      yield `${line}\n`;
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  yield `${line}\n`;
}
