// `dirtyring help --man`: the pages of the manual, in roff with man(7)'s macros, from the declarations
// that help is made from.
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import { ABOUT_COMMANDS, type Described } from "./about_commands.ts";
import type { Registry } from "./command.ts";
import {
  described,
  INTRODUCTION,
  loadTopic,
  operandRows,
  optionGroups,
  optionRows,
  PROGRAM_OPTIONS,
  TASKS,
  TITLE,
} from "./help.ts";
import type { OptionTable } from "./option.ts";
import { VERSION } from "./origin.ts";
import { usage } from "./parse.ts";
import { statuses } from "./topics/statuses.ts";
import type { Rows, Topic } from "./topics/topic.ts";
import { TOPIC_NAMES } from "./topics/topics.ts";

/**
 * A page of the manual.
 *
 * @param name The command that it is about; the program if it is not given.
 * @returns Lines with their ends, in roff.
 * @throws {UsageError} If there is no such command.
 */
export async function manPage(
  registry: Registry,
  name: string | undefined,
): Promise<Iterable<string>> {
  const commands = await described(registry);
  if (name === undefined) {
    const topics = await Promise.all(
      TOPIC_NAMES.map(async (name): Promise<[string, Topic]> => [
        name,
        await loadTopic(registry, name),
      ]),
    );
    return programPage(commands, topics);
  }
  const command = commands.find((one) => one.name === name);
  if (command !== undefined) return commandPage(command);
  if (TOPIC_NAMES.includes(name)) {
    throw new UsageError(
      `--man ${printable(name)}: a topic has no page of its own; expected dirtyring help --man`,
    );
  }
  const { unknownCommand } = await import("./unknown.ts");
  throw unknownCommand(name, registry.names);
}

/** The words of a heading in the program's page, for the topics that have a usual one. */
const HEADINGS: Readonly<Record<string, string>> = { statuses: "EXIT STATUS" };

function* programPage(
  commands: readonly Described[],
  topics: readonly (readonly [string, Topic])[],
): Generator<string> {
  yield* begin("dirtyring", TITLE);
  yield heading("SYNOPSIS");
  yield ".B dirtyring\n.I COMMAND\n[\\fIOPTION\\fR ...]\n.br\n";
  yield ".B dirtyring help\n[\\fICOMMAND\\fR|\\fITOPIC\\fR]\n";
  yield heading("DESCRIPTION");
  for (const text of INTRODUCTION) yield* paragraph(text);
  yield* paragraph("To begin with:");
  yield* terms(TASKS);
  yield heading("COMMANDS");
  yield* terms(commands.map(({ name, summary }) => [`dirtyring-${name}(1)`, summary]));
  yield heading("OPTIONS OF EVERY COMMAND");
  yield* terms(optionRows(PROGRAM_OPTIONS));
  yield* paragraph("And --kernel with its options: see KERNELS.");
  for (const [name, topic] of topics) {
    yield heading(HEADINGS[name] ?? name.toUpperCase());
    yield* topicText(topic);
  }
  yield heading("SEE ALSO");
  yield* references(commands.map(({ name }) => `dirtyring-${name}`));
  yield* paragraph("In the kernel's tree: virt/kvm/dirty_ring.c, Documentation/virt/kvm/api.rst.");
}

function* commandPage(command: Described): Generator<string> {
  const { name, summary, details, operands, options, examples } = command;
  yield* begin(`dirtyring-${name}`, summary);
  yield heading("SYNOPSIS");
  const [program, ...rest] = usage(command).split(" ");
  yield `.B ${escaped(`${program} ${rest[0]}`)}\n${escaped(rest.slice(1).join(" "))}\n`;
  yield heading("DESCRIPTION");
  yield* paragraph(details);
  yield* terms(operandRows(operands));
  yield heading("EXAMPLES");
  for (const [line, shows] of examples) {
    yield `.PP\n.B ${quoted(line)}\n.RS\n${escaped(shows)}\n.RE\n`;
  }
  const [often, more] = optionGroups(command);
  if (often.length + more.length > 0) yield heading("OPTIONS");
  if (often.length > 0) yield* optionsPart("Used most", options, often);
  if (more.length > 0) {
    yield* often.length > 0
      ? optionsPart("Others", options, more)
      : terms(optionRows(options, more));
  }
  if (!Object.hasOwn(ABOUT_COMMANDS, name)) {
    const every = Object.keys(PROGRAM_OPTIONS).map((one) => `--${one}`).join(", ");
    yield* paragraph(
      `Every command has ${every}, and --kernel with its options: see dirtyring(1).`,
    );
  }
  yield heading("EXIT STATUS");
  yield* topicText(statuses);
  yield heading("SEE ALSO");
  yield* references(["dirtyring"]);
}

function* optionsPart(
  title: string,
  options: OptionTable,
  names: readonly string[],
): Generator<string> {
  yield `.SS ${quoted(title)}\n`;
  yield* terms(optionRows(options, names));
}

function* topicText({ parts }: Topic): Generator<string> {
  for (const part of parts) {
    if (typeof part === "string") {
      yield* paragraph(part);
      continue;
    }
    if (part.title !== undefined) yield* paragraph(`${part.title}:`);
    yield* terms(part.rows);
  }
}

// The head of a page. Its lines are neither hyphenated nor stretched: an option is one word.
function* begin(name: string, summary: string): Generator<string> {
  yield `.\\" Made by dirtyring help --man from the declarations of its commands.\n`;
  yield `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`dirtyring ${VERSION}`)} "dirtyring"\n`;
  yield ".nh\n.ad l\n";
  yield `${heading("NAME")}${escaped(name)} \\- ${escaped(summary)}\n`;
}

function heading(title: string): string {
  return `.SH ${quoted(title)}\n`;
}

function* paragraph(text: string): Generator<string> {
  yield `.PP\n${escaped(text)}\n`;
}

function* terms(rows: Rows["rows"]): Generator<string> {
  for (const [what, meaning] of rows) yield `.TP\n.B ${quoted(what)}\n${escaped(meaning)}\n`;
}

function* references(pages: readonly string[]): Generator<string> {
  for (const [n, page] of pages.entries()) {
    yield `.BR ${escaped(page)} (1)${n < pages.length - 1 ? "," : ""}\n`;
  }
}

// A text as roff prints it: a minus that can be copied, and nothing that is taken for a request.
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=[.'])/, "\\&");
}

// A text as one argument of a macro.
function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '""')}"`;
}
