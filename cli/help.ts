// The texts of `dirtyring help`.
import { EXIT } from "../host/errors.ts";
import { table } from "../report/table.ts";
import type { Registry } from "./command.ts";
import { GLOBAL_OPTIONS, VM_OPTIONS } from "./global_options.ts";
import type { OptionTable } from "./option.ts";
import { usage } from "./parse.ts";

const STATUSES: readonly HelpStatus[] = [
  [[EXIT.OK], "done, and all that was checked holds"],
  [[EXIT.BROKEN], "something checked does not hold"],
  [[EXIT.USAGE], "the command line, a file or a value in it is wrong"],
  [[EXIT.KERNEL], "the kernel refused or failed a call that was needed"],
  [[EXIT.HOST], "this host cannot do it: no /dev/kvm, no permission, no dirty ring"],
  [[EXIT.DEFECT], "a defect of dirtyring"],
  [[EXIT.MACHINE], "with --kernel: that kernel did not boot, panicked, hung or ran out of time"],
  [[EXIT.SIGHUP, EXIT.SIGINT, EXIT.SIGTERM], "interrupted"],
];

function helpOptions(table: OptionTable): HelpOption[] {
  return Object.entries(table).map((
    [name, { value, isValueOptional = false, help, fallbackText }],
  ) => ({
    name,
    value,
    isValueOptional,
    help,
    fallback: fallbackText,
  }));
}

/**
 * The text of `dirtyring help`.
 *
 * @param registry The existing commands.
 * @param name The command to describe; the overview if there is none.
 * @returns Lines with their line ends.
 * @throws {UsageError} If there is no such command.
 */
export async function help(registry: Registry, name?: string): Promise<Iterable<string>> {
  const all = helpOptions(GLOBAL_OPTIONS);
  const machine = all.filter(({ name }) => Object.hasOwn(VM_OPTIONS, name));
  const options = { machine, program: all.filter((option) => !machine.includes(option)) };
  if (name !== undefined && name !== "help") {
    const command = await registry.load(name);
    const all = { options: helpOptions(command.options), operands: helpOptions(command.operands) };
    return commandHelp({ ...command, ...all, usage: usage(command) }, options);
  }
  const commands = await Promise.all(registry.names.map(registry.load));
  return generalHelp(commands, options, STATUSES);
}

/** An option as help shows it. */
export interface HelpOption {
  /** Its name, without the two dashes. */
  readonly name: string;
  /** The placeholder of its value; `null` for a flag. */
  readonly value: string | null;
  /** Whether the value may be left out. */
  readonly isValueOptional: boolean;
  /** What it does. */
  readonly help: string;
  /** Its default; `null` if there is none to show. */
  readonly fallback: string | null;
}

/** The options of every command, as help shows them in two groups. */
export interface GlobalOptions {
  /** The options of the program itself. */
  readonly program: readonly HelpOption[];
  /** The options for the machine of `--kernel`. */
  readonly machine: readonly HelpOption[];
}

/** A command as help shows it. */
export interface HelpCommand {
  /** Its name. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What a user should know beyond the summary. */
  readonly details: string;
  /** Command lines, each with a description of what it shows. */
  readonly examples: readonly (readonly [string, string])[];
}

/** A command with its options and operands. */
export interface WholeCommand extends HelpCommand {
  /** The usage line. */
  readonly usage: string;
  /** Its operands. */
  readonly operands: readonly HelpOption[];
  /** Its options. */
  readonly options: readonly HelpOption[];
}

/** Exit statuses with a common meaning. */
export type HelpStatus = readonly [numbers: readonly number[], meaning: string];

const WIDTH = 80;

/**
 * The overview.
 *
 * @returns Lines with their line ends.
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
 * The help of one command.
 *
 * @returns Lines with their line ends.
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
    yield* optionText(written(option), option);
  }
}

// As a command line has it.
function written({ name, value, isValueOptional }: HelpOption): string {
  if (value === null) return `--${name}`;
  return isValueOptional ? `--${name}[=${value}]` : `--${name} ${value}`;
}

function* optionText(written: string, { help, fallback }: HelpOption): Generator<string> {
  yield `  ${written}\n`;
  yield* wrap(fallback === null ? help : `${help} (default: ${fallback})`, WIDTH, "      ");
}

// Breaks a text into lines between words.
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
