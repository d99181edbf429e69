// The examples of all pages: each output is what its command prints, and each command line parses.
import { assert, assertEquals } from "@std/assert";
import { helpOf } from "../../cli/about.ts";
import { ABOUT_COMMANDS } from "../../cli/about_commands.ts";
import { GLOBAL_OPTIONS } from "../../cli/global_options.ts";
import { parseLine, parseOperands } from "../../cli/parse.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { kvmModule } from "../../host/facts.ts";
import { shell } from "../support/cli.ts";
import {
  allPages,
  commandLinesOf,
  type Example,
  examplesOf,
  withoutMarks,
} from "../support/documents.ts";
import { LIBC } from "../support/libc.ts";
import { NOT_LIVE, testUnless } from "../support/live.ts";
import { ROOT } from "../support/sources.ts";
import { NOT_TRACEABLE } from "../support/tracing.ts";

const PAGES = await allPages();
const MODULE = NOT_LIVE === null ? kvmModule(LIBC) : null;
const DEMO = await demoOnModel();

// The task takes a real kernel where there is one; the page shows the model.
async function demoOnModel(): Promise<string> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const line = / main\.ts (.*)--backend auto(.*)$/.exec(tasks.demo.command)!;
  return `bin/dirtyring ${line[1]}--backend model${line[2]}`;
}

/** The command that is run for an example's. */
function commandOf(command: string): string {
  return command.endsWith(" task demo") ? DEMO : command;
}

/** The host that an output is of: the number of entries depends on whether it emulates real mode. */
function hostOf({ output }: Example): { readonly module: string; readonly model: string } {
  return /^kernel .* 6\.12\..*, kvm_amd$/m.test(output)
    ? { module: "kvm_amd", model: "v6.12" }
    : { module: "kvm_pvm", model: "latest+emulator" };
}

// Columns move with the width of times, and repetitions with the speed of the machine. Where a
// small ring fills up, how far into the reserve it does depends on where the emulation was cut.
function timeless(command: string, text: string): string {
  // How many of a run's seconds get a line hangs on a harvest's moment.
  const whole = command.includes(" live ")
    ? text.replace(/^ +[\d.]+ s .* lost \d+\n/gm, "")
      .replace(/, and before that .*/, "")
    : text;
  const lasting = whole.replace(/^kernel .*$/gm, "kernel")
    .replace(/median of \d+ rounds?/, "median of rounds")
    .replace(/\d+(\.\d+)? (ns|µs|ms|s)\b/g, "TIME").replace(/ +/g, " ");
  // Whether a read pushes is the host's affair, and ends the comparison of a program.
  if (command.includes(" fuzz ")) {
    return lasting.replace(/^(allowed|\d+ programs? compared up).*\n/gm, "").replace(/\d+/g, "N");
  }
  return /--ring|--max-dirty/.test(command)
    ? lasting.replace(/\d+(\.\d+)?k?/g, "N").replace(/ █+/g, "")
      .replace(/(saved N|saved nothing|it paid|it did not pay|as fast|as slow)/g, "OUTCOME")
    : lasting;
}

/** Whether a text is what a page shows of it, where `...` alone on a line stands for any lines. */
function isShown(shown: string, text: string): boolean {
  let rest = `\n${text}`;
  for (const [n, part] of shown.split(/^\.\.\.\n/m).entries()) {
    const at = rest.indexOf(`\n${part}`);
    if (at === -1 || (n === 0 && at > 0)) return false;
    rest = rest.slice(at + part.length);
  }
  return shown.endsWith("...\n") || rest === "\n";
}

async function printsIt({ command, output }: Example): Promise<void> {
  const run = commandOf(command);
  const { code, stdout, stderr } = await shell(run, ROOT.pathname);
  assertEquals([code, stderr], [0, ""]);
  const [is, shown] = [timeless(run, stdout), timeless(run, withoutMarks(output))];
  // The comparison of the whole shows where they differ.
  if (!isShown(shown, is)) assertEquals(is, shown);
}

for (const { path, text } of PAGES) {
  for (const example of examplesOf(text)) {
    const { command } = example;
    const name = `${path} shows what \`${command}\` prints`;
    if (/--backend model| task demo$/.test(command)) {
      Deno.test(name, () => printsIt(example));
      continue;
    }
    const { module } = hostOf(example);
    const elsewhere = MODULE === module ? null : `this output is of ${module}`;
    const untraced = command.includes("--witness") ? NOT_TRACEABLE : null;
    testUnless(NOT_LIVE ?? elsewhere ?? untraced, name, () => printsIt(example));
  }
}

/** Lines that a real kernel's output has, and the model's has not: no verdict rests on its times. */
const KERNELS_ALONE: readonly RegExp[] = [
  /^sorting cost .* an entry: OUTCOME$/,
  /^together N times /,
  / vCPUs on threads, /,
  /^ran for TIME$/,
];

/** Lines that the model's output has, and a real kernel's has not. */
const MODELS_ALONE: readonly RegExp[] = [
  /^These are times of the model, in memory: no kernel's\.$/,
  / vCPUs in slices, /,
  /^ran for TIME by the model's clock/,
];

/**
 * The lines of an output that a kernel printed for which the same command prints none on the model,
 * numbers apart, and where the output is whole those that it lacks: by now the program has other
 * words.
 */
async function outdatedLines(example: Example): Promise<string[]> {
  const { command, output } = example;
  const { model } = hostOf(example);
  // For the words of a run it need not last.
  const run = command.replace(/ \| (?:head|tail|sed) [^;]*/g, "")
    .replace(/--duration \d+s/, "--duration 200ms").replace(/--epochs \d+/, "--epochs 2")
    .replace(/bin\/dirtyring \w+/g, `$& --backend model --model ${model} --times`)
    .replace(/ restore --backend model --model \S+/, " restore --backend model");
  const { code, stdout, stderr } = await shell(run, ROOT.pathname);
  assertEquals([code, stderr], [0, ""]);
  const lines = (text: string) => {
    const shape = timeless(`${run} --ring`, text).replace(/^[N–\s]+$/gm, "");
    return shape.split("\n").map((line) => line.trim());
  };
  const [shown, printed] = [lines(output), lines(stdout)];
  const old = missingFrom(printed, shown, KERNELS_ALONE);
  // A part of an output, as a filter of the shell leaves it, lacks the others.
  return / \| /.test(command) ? old : [...old, ...missingFrom(shown, printed, MODELS_ALONE)];
}

function missingFrom(all: string[], some: string[], apart: readonly RegExp[]): string[] {
  return some.filter((line) => !all.includes(line) && !apart.some((one) => one.test(line)));
}

for (const { path, text } of PAGES) {
  for (const example of examplesOf(text)) {
    // A witness and a comparison of kernels have no model.
    if (/--backend model| task demo$|--witness|dirtyring fuzz/.test(example.command)) continue;
    Deno.test(`${path} has today's words for \`${example.command}\``, async () => {
      assertEquals(await outdatedLines(example), []);
    });
  }
}

Deno.test("an output that is not what the command prints is noticed", async () => {
  assert(isShown("a\n...\nd\n", "a\nb\nc\nd\n") && isShown("a\n...\n", "a\nb\n"));
  assert(isShown("...\nb\n...\nd\n", "a\nb\nc\nd\n") && isShown("a\n", "a\n"));
  for (
    const shown of ["b\n...\n", "a\n...\nc\n", "a\n", "a\n...\nd\n...\nc\n", "a\nb\nc\nd\ne\n"]
  ) {
    assert(!isShown(shown, "a\nb\nc\nd\n"), shown);
  }
  const command = "bin/dirtyring dump --pages 2";
  const { stdout } = await shell(
    `${command} --backend model --model latest+emulator`,
    ROOT.pathname,
  );
  assertEquals(await outdatedLines({ command, output: stdout }), []);
  const output = stdout.replace("after 2 stores", "when 2 stores were made");
  const [now, then] = ["after N stores", "when N stores were made"];
  assertEquals(await outdatedLines({ command, output }), [
    `vCPU N KVM_EXIT_HLT ${then}, N entries`,
    `vCPU N KVM_EXIT_HLT ${now}, N entries`,
  ]);
  const part = output.replace(/^.*not logged\n/m, "");
  assert(part !== output && (await outdatedLines({ command, output: part })).length === 3);
  const tail = { command: `${command} | tail -n 1`, output: stdout.split("\n").at(-2)! };
  assertEquals(await outdatedLines(tail), []);
});

/** What is wrong with a command line of a page; `null` if it parses. */
async function wrongIn(args: readonly string[]): Promise<string | null> {
  const [name, ...rest] = args;
  // A variable is a script's, which is run as a whole.
  if (name === "COMMAND" || /^[-$]/.test(name!)) return null;
  try {
    const command = ABOUT_COMMANDS[name!] ?? await REGISTRY.load(name!);
    if (name === "help" && rest.length > 0 && !/^(-|COMMAND$|TOPIC$)/.test(rest[0]!)) {
      await helpOf(REGISTRY, rest[0], 80);
    }
    if (rest.length === 0) return null; // its name alone: the page speaks of it
    const words = rest.map((word) => /^[NS]$/.test(word) ? "1" : word.replace(/^(\w+)\|.*/, "$1"));
    const line = await parseLine(words, { ...command.options, ...GLOBAL_OPTIONS });
    parseOperands(command, line.operands);
    return null;
  } catch (error) {
    return `dirtyring ${args.join(" ")}: ${error instanceof Error ? error.message : error}`;
  }
}

Deno.test("each command line of the documentation is one that the program takes", async () => {
  const lines = PAGES.flatMap(({ text }) => commandLinesOf(text));
  assert(lines.length > 100);
  const wrong = await Promise.all(lines.map(wrongIn));
  assertEquals(wrong.filter((one) => one !== null), []);
});

Deno.test("a command line that the program does not take is noticed, wherever it stands", async () => {
  const text =
    "Type `dirtyring help nothing`, `dirtyring completions tcsh`, `dirtyring dmp`, or `bin/dirtyring run --round 3 | tail`; `dirtyring fuzz N --seed S`:\n\n" +
    "    dirtyring stats --pattern wrong # a comment\n\n```sh\n$ (bin/dirtyring reset -- x; dirtyring live)\n" +
    "$ git bisect run dirtyring check --bisec && dirtyring dump --only 'a b'\n```\n";
  const lines = commandLinesOf(text);
  assertEquals(lines.length, 10);
  const wrong = (await Promise.all(lines.map(wrongIn))).filter((one) => one !== null);
  assertEquals(wrong.map((one) => one.split(/[ :]+/)[1]).toSorted(), [
    "check",
    "completions",
    "dmp",
    "dump",
    "help",
    "reset",
    "run",
    "stats",
  ]);
});
