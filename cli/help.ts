// The texts of `dirtyring help`: the overview, a command, a topic, and all of them.
import { ABOUT_COMMANDS, type Described } from "./about_commands.ts";
import type { Registry } from "./command.ts";
import { columns, fill } from "./fill.ts";
import { GLOBAL_OPTIONS, VM_OPTIONS } from "./global_options.ts";
import type { OperandTable, OptionTable } from "./option.ts";
import { ENDINGS } from "./output_places.ts";
import { SHORT, usage } from "./parse.ts";
import type { Rows, Topic, TopicSources } from "./topics/topic.ts";
import { TOPIC_NAMES, TOPICS } from "./topics/topics.ts";

/** What dirtyring is, in one line. */
export const TITLE = "a laboratory for KVM's dirty ring";

/** What a dirty ring is, and what for: the paragraphs with which the overview begins. */
export const INTRODUCTION: readonly string[] = [
  "A program that migrates or checkpoints a virtual machine must know which pages its guest stored to since it " +
  "looked last. KVM can note them in a bitmap of the whole guest, or, since Linux 5.11, in dirty rings: " +
  "one list of pages for each vCPU, in memory that KVM and the program share, so that the cost goes by the " +
  "dirty pages and not by the size of the guest.",
  "KVM writes an entry when a page becomes dirty. The program harvests it: it reads the entry and marks it. " +
  "A reset then frees harvested entries and re-protects their pages, so that the next store to such a page " +
  "makes an entry again. dirtyring boots a tiny guest, and shows, checks and measures what KVM does with its rings.",
];

/** Which command a task begins with. */
export const TASKS: Rows["rows"] = [
  ["dirtyring probe", "can it be done here?"],
  ["dirtyring check", "does this kernel keep its promises? At a terminal, or in CI"],
  ["dirtyring dump", "see the entries of a ring; reset and run show what becomes of them"],
  ["dirtyring bench", "what does it cost, against a bitmap?"],
  ["dirtyring run --backend model", "no KVM here: a model of it, for all but fuzz"],
];

/** The options of every command, without those for the machine of `--kernel`. */
export const PROGRAM_OPTIONS: OptionTable = Object.fromEntries(
  Object.entries(GLOBAL_OPTIONS).filter(([name]) => !Object.hasOwn(VM_OPTIONS, name)),
);

/**
 * Options as rows: how each is written, and what it does, with its default.
 *
 * @param names The options to tell of, in their order.
 */
export function optionRows(
  options: OptionTable,
  names: readonly string[] = Object.keys(options),
): [string, string][] {
  return names.map((name) => {
    const { value, isValueOptional = false, help, fallbackText } = options[name]!;
    const short = Object.hasOwn(SHORT, name) ? `-${SHORT[name]}, ` : "";
    const isTold = value !== null && !isValueOptional && fallbackText !== null;
    const written = value === null ? "" : isValueOptional ? `[=${value}]` : ` ${value}`;
    return [
      `${short}--${name}${written}`,
      isTold ? `${help} (default: ${fallbackText})` : help,
    ];
  });
}

/** Operands as rows: the placeholder of each, and what it is. */
export function operandRows(operands: OperandTable): [string, string][] {
  return Object.values(operands).map(({ value, help, fallbackText }) => [
    value,
    fallbackText === null ? help : `${help} (default: ${fallbackText})`,
  ]);
}

/** The options of a command in two groups: those that are used most, and the others. */
export function optionGroups({ options, often }: Described): [often: string[], more: string[]] {
  return [[...often], Object.keys(options).filter((name) => !often.includes(name))];
}

/** All that can be described: the commands of a registry, and those that ask no kernel. */
export async function described(registry: Registry): Promise<Described[]> {
  const commands = await Promise.all(registry.names.map(registry.load));
  return [...commands, ...Object.values(ABOUT_COMMANDS)];
}

/**
 * Loads a topic.
 *
 * @param name One of {@linkcode TOPIC_NAMES}.
 */
export async function loadTopic(registry: Registry, name: string): Promise<Topic> {
  const commands = name === "formats" ? await described(registry) : [];
  const sources: TopicSources = {
    commands,
    endings: ENDINGS,
    machine: optionRows(VM_OPTIONS),
  };
  return await TOPICS[name]!.load(sources);
}

/**
 * The overview.
 *
 * @param width The most characters of a line.
 * @returns Lines with their ends.
 */
export function* overview(commands: readonly Described[], width: number): Generator<string> {
  const rows = { width, indent: "  " };
  yield* fill(`dirtyring: ${TITLE}`, { width });
  for (const text of INTRODUCTION) {
    yield "\n";
    yield* fill(text, { width });
  }
  yield "\nusage: dirtyring COMMAND [OPTION ...]\n";
  yield "       dirtyring help [COMMAND|TOPIC]\n";
  yield "\nto begin with:\n";
  yield* columns(TASKS, rows);
  yield "\ncommands:\n";
  yield* columns(commands.map(({ name, summary }) => [name, summary]), rows);
  yield "\ntopics (dirtyring help TOPIC):\n";
  yield* columns(TOPIC_NAMES.map((name) => [name, TOPICS[name]!.summary]), rows);
  yield "\noptions of every command:\n";
  const kernel: [string, string] = [
    `--kernel ${VM_OPTIONS.kernel.value}`,
    "ask another kernel than this host's (dirtyring help kernels)",
  ];
  yield* columns([...optionRows(PROGRAM_OPTIONS), kernel], rows);
}

/**
 * The help of one command.
 *
 * @param width The most characters of a line.
 * @returns Lines with their ends.
 */
export function* commandHelp(command: Described, width: number): Generator<string> {
  const { name, summary, details, operands, options, examples } = command;
  const rows = { width, indent: "  " };
  yield* fill(`dirtyring ${name}: ${summary}`, { width, indent: "  " });
  yield "\n";
  yield* fill(details, { width });
  yield "\n";
  yield* fill(`usage: ${usage(command)}`, { width, indent: "  " });
  if (Object.keys(operands).length > 0) yield* columns(operandRows(operands), rows);
  yield "\nexamples:\n";
  for (const [line, shows] of examples) {
    yield* commandLine(line, width);
    yield* fill(shows, { width, first: "      ", indent: "      " });
  }
  const [often, more] = optionGroups(command);
  if (often.length > 0) {
    yield "\noptions that are used most:\n";
    yield* columns(optionRows(options, often), rows);
  }
  if (more.length > 0) {
    yield often.length > 0 ? "\nother options:\n" : "\noptions:\n";
    yield* columns(optionRows(options, more), rows);
  }
  if (Object.hasOwn(ABOUT_COMMANDS, name)) return;
  const every = Object.keys(PROGRAM_OPTIONS).map((one) => `--${one}`).join(", ");
  yield "\n";
  yield* fill(
    `of every command: ${every} (dirtyring help), and to ask another kernel --kernel and its ` +
      "options (dirtyring help kernels)",
    { width },
  );
}

/** Stands for the space between an option and its value, where no line is broken. */
const TIED = "\0";

// A command line that a shell can read as it is printed, on several lines too.
function* commandLine(line: string, width: number): Generator<string> {
  const tied = line.replaceAll(/(?<= --[\w-]+) (?!-)/g, TIED);
  const lines = [...fill(tied, { width: width - 2, first: "  ", indent: "    " })];
  for (const [n, one] of lines.entries()) {
    const text = one.replaceAll(TIED, " ");
    yield n < lines.length - 1 ? text.replace("\n", " \\\n") : text;
  }
}

/**
 * The help of a topic.
 *
 * @param name Its name.
 * @param width The most characters of a line.
 * @returns Lines with their ends.
 */
export function* topicHelp(name: string, { parts }: Topic, width: number): Generator<string> {
  yield* fill(`dirtyring help ${name}: ${TOPICS[name]!.summary}`, { width, indent: "  " });
  for (const part of parts) {
    yield "\n";
    if (typeof part === "string") {
      yield* fill(part, { width });
      continue;
    }
    if (part.title !== undefined) yield* fill(`${part.title}:`, { width });
    yield* columns(part.rows, { width, indent: "  " });
  }
}
