// The completion script for zsh.
import { shellQuoted } from "../../text/shell_word.ts";
import {
  type CommandWords,
  flagsOf,
  isCompleted,
  type OptionWords,
  type ValueWords,
  type Vocabulary,
} from "./vocabulary.ts";

/**
 * The script: zsh's _arguments is told the options of each command, and one function completes the
 * values of all.
 */
export function* zshScript(vocabulary: Vocabulary): Generator<string> {
  const { commands, every } = vocabulary;
  yield "#compdef dirtyring\n# Completes dirtyring's command lines in zsh: dirtyring completions zsh\n";
  yield VALUES;
  yield "_dirtyring_commands() {\n  local -a commands=(\n";
  for (const { name, summary } of commands) {
    yield `    ${shellQuoted(`${name}:${summary.replaceAll(":", "\\:")}`)}\n`;
  }
  yield "  )\n  _describe command commands\n}\n\n";
  yield "_dirtyring() {\n  local curcontext=$curcontext state line\n  local -A opt_args\n";
  yield "  local -a every=(\n";
  for (const option of every) yield `    ${specOf(option)}\n`;
  // What stands behind the command is the command's.
  yield "  )\n  _arguments -C -A '-*' \\\n";
  for (const option of flagsOf(vocabulary)) yield `    ${specOf(option)} \\\n`;
  yield "    '1:command:_dirtyring_commands' '*::operand:->command' && return 0\n";
  yield "  [[ $state == command ]] || return 1\n  curcontext=${curcontext%:*}-$words[1]:\n";
  yield "  case $words[1] in\n";
  for (const command of commands) yield* commandText(command);
  yield "  esac\n}\n\n";
  yield "# Either zsh loads this file as a function, or it is sourced.\n";
  yield 'if [[ ${funcstack[1]-} == _dirtyring ]]; then _dirtyring "$@"; else compdef _dirtyring dirtyring; fi\n';
}

function* commandText(command: CommandWords): Generator<string> {
  const { name, options, hasEvery, operands } = command;
  yield `    ${name})\n      _arguments ${hasEvery ? "$every " : ""}\\\n`;
  for (const option of options) yield `        ${specOf(option)} \\\n`;
  for (const [n, values] of operands.entries()) {
    yield `        ${shellQuoted(`${n + 1}:operand:${actionOf(values)}`)} \\\n`;
  }
  yield "        && return 0\n      ;;\n";
}

// A specification for _arguments, as words of the shell.
function specOf(option: OptionWords): string {
  const { name, short, brief, value, values, isValueOptional, isMany } = option;
  const told = `[${brief.replaceAll(/[[\]\\]/g, "\\$&")}]`;
  if (short !== null) return `'(-${short} --${name})'{-${short},--${name}}${shellQuoted(told)}`;
  if (value === null) return shellQuoted(`--${name}${told}`);
  const message = value.replaceAll(":", "\\:");
  const [equals, colons] = isValueOptional ? ["=-", "::"] : ["=", ":"];
  const many = isMany ? "*" : "";
  return shellQuoted(`${many}--${name}${equals}${told}${colons}${message}:${actionOf(values)}`);
}

// What _arguments does for a value; a space is nothing.
function actionOf(values: ValueWords): string {
  if (!isCompleted(values)) return " ";
  const { words, path, fileAfter, isList } = values;
  const given = [isList ? "list" : "-", path ?? "-", fileAfter.join("|") || "-", ...words];
  const args = given.map((one) => /^[\w.+-]+$/.test(one) ? one : `"${one}"`);
  return `_dirtyring_values ${args.join(" ")}`.replaceAll(":", "\\:");
}

const VALUES = String.raw`
# Completes a value: LIST PLACE AFTER WORD ...
_dirtyring_values() {
  # _arguments puts options for compadd in front.
  local -a given
  while [[ $1 != (list|-) ]]; do given+=($1); shift; done
  local list=$1 place=$2 after=$3 one ret=1
  shift 3
  local -a plain open
  [[ $list == list ]] && compset -P '*,'
  for one in ${"$"}{(s:|:)after}; do
    if [[ $one != - ]] && compset -P $one; then
      _files
      return
    fi
  done
  for one in $@; do
    if [[ $one == *: ]]; then open+=($one); else plain+=($one); fi
  done
  if [[ $list == list ]]; then
    (($#plain)) && compadd "${"$"}{given[@]}" -qS , -a plain && ret=0
  else
    (($#plain)) && compadd "${"$"}{given[@]}" -a plain && ret=0
  fi
  (($#open)) && compadd "${"$"}{given[@]}" -S '' -a open && ret=0
  case $place in
    file) _files && ret=0 ;;
    folder) _path_files -/ && ret=0 ;;
  esac
  return ret
}

`;
