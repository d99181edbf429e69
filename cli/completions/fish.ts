// The completion script for fish.
import {
  awaits,
  type CommandWords,
  flagsOf,
  grouped,
  isCompleted,
  type OptionWords,
  type ValueWords,
  type Vocabulary,
} from "./vocabulary.ts";

/**
 * The script: a line for each option, with the commands that have it as described, and some functions
 * that say what stands on the line.
 */
export function* fishScript(vocabulary: Vocabulary): Generator<string> {
  const { commands, every } = vocabulary;
  const all = commands.map(({ name, options, hasEvery }) => ({
    name,
    options: [...options, ...(hasEvery ? every : [])],
  }));
  yield "# Completes dirtyring's command lines in fish: dirtyring completions fish\n";
  yield FUNCTIONS;
  const takers = all.flatMap(({ options }) => options.filter(awaits));
  const taking = [...new Set(takers.map(({ name }) => `--${name}`))];
  yield `# The options that take a value.\nfunction __dirtyring_takes\n    printf '%s\\n' ${
    taking.join(" ")
  }\nend\n\n`;
  yield "complete -c dirtyring -f\n\n";
  const none = "-n '__dirtyring_is'";
  for (const { name, summary } of commands) {
    yield `complete -c dirtyring ${none} -a ${name} -d ${quoted(summary)}\n`;
  }
  for (const option of flagsOf(vocabulary)) {
    yield `complete -c dirtyring ${none} ${optionText(option)}\n`;
  }
  yield "\n";
  const told = all.flatMap(({ name, options }) =>
    options.map((option): [string, string] => [name, optionText(option)])
  );
  for (const [option, names] of grouped(told)) {
    yield `complete -c dirtyring -n '__dirtyring_is ${names.join(" ")}' ${option}\n`;
  }
  yield "\n";
  for (const command of commands) yield* operandsText(command);
}

function* operandsText({ name, operands }: CommandWords): Generator<string> {
  for (const [n, values] of operands.entries()) {
    if (!isCompleted(values)) continue;
    const condition = `__dirtyring_is ${name}; and __dirtyring_operand ${n}`;
    yield `complete -c dirtyring -n '${condition}' ${valuesText(values)}\n`;
  }
}

function optionText(option: OptionWords): string {
  const { name, short, brief, value, values } = option;
  return [
    ...(short === null ? [] : [`-s ${short}`]),
    `-l ${name}`,
    ...(awaits(option) ? ["-r"] : []),
    ...(value === null ? [] : [isCompleted(values) ? valuesText(values) : "-f"]),
    `-d ${quoted(brief)}`,
  ].join(" ");
}

function valuesText({ words, path, fileAfter, isList }: ValueWords): string {
  const list = words.map(bare).join(" ");
  const parts = [
    ...(words.length === 0 ? [] : [isList ? `(__dirtyring_list ${list})` : list]),
    ...fileAfter.map((word) => `(__dirtyring_after ${word})`),
    ...(path === "folder" ? ["(__dirtyring_folders)"] : []),
  ];
  return [
    path === "file" ? "-F" : "-f",
    ...(parts.length === 0 ? [] : [`-a ${quoted(parts.join(" "))}`]),
  ].join(" ");
}

// A word as fish reads it in a list of candidates, where it expands globs.
function bare(word: string): string {
  return word.replaceAll(/[*?]/g, "\\$&");
}

// A text in single quotes, in which fish knows two escapes.
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

const FUNCTIONS = String.raw`
# The words before the cursor that are neither options nor their values; the first is the command.
function __dirtyring_words
    set -l takes (__dirtyring_takes)
    set -l awaited 0
    for word in (commandline -opc)[2..-1]
        if test $awaited = 1
            set awaited 0
        else if string match -q -- '-*' $word
            contains -- $word $takes; and set awaited 1
        else
            echo $word
        end
    end
end

# Whether the command is one of these; without any, whether there is none yet.
function __dirtyring_is
    set -l words (__dirtyring_words)
    if test (count $argv) = 0
        test (count $words) = 0
    else
        test (count $words) -gt 0; and contains -- $words[1] $argv
    end
end

# Whether so many operands stand before the cursor.
function __dirtyring_operand
    test (count (__dirtyring_words)) = (math $argv[1] + 1)
end

# The value at the cursor, without the option that it may stand behind.
function __dirtyring_value
    commandline -ct | string replace -r -- '^--[a-z-]+=' ''
end

# Words, behind those that a comma ends already.
function __dirtyring_list
    set -l before (__dirtyring_value | string match -r -- '^.*,')
    for word in $argv
        echo "$before$word"
    end
end

# Files, behind a word.
function __dirtyring_after
    set -l value (__dirtyring_value)
    string match -q -- "$argv[1]*" $value; or return
    for found in (__fish_complete_path (string replace -- $argv[1] '' $value))
        echo "$argv[1]$found"
    end
end

function __dirtyring_folders
    __fish_complete_directories (__dirtyring_value)
end

`;
