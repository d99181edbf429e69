// The completion script for bash.
import { shellQuoted } from "../../text/shell_word.ts";
import { flagsOf, grouped, type ValueWords, type Vocabulary } from "./vocabulary.ts";

/**
 * The script. It is one table of options and one of values, and a function that finds out what stands
 * at the cursor. bash cuts words at `:` and `=`, so that the function puts them together again, and
 * cuts what it answers.
 */
export function* bashScript(vocabulary: Vocabulary): Generator<string> {
  const { commands, every } = vocabulary;
  const dashed = (options: readonly { readonly name: string }[]) =>
    options.map(({ name }) => `--${name}`).join(" ");
  const names = commands.map(({ name }) => name).join(" ");
  yield "# Completes dirtyring's command lines in bash: dirtyring completions bash\n\n";
  yield "# The options of a command, or those that stand before one.\n";
  yield `_dirtyring_options() {\n  local every='${dashed(every)}'\n  case $1 in\n`;
  for (const { name, options, hasEvery } of commands) {
    yield `    ${name}) options="${dashed(options)}${hasEvery ? " $every" : ""}" ;;\n`;
  }
  yield `    *) options='${dashed(flagsOf(vocabulary))}' ;;\n  esac\n}\n\n`;
  yield "# What completes the value of an option, or of an operand; fails for what takes none.\n";
  yield "_dirtyring_values() {\n  words='' path='' after='' list=''\n  case $1 in\n";
  for (const [what, keys] of grouped(pairsOf(vocabulary))) {
    yield `    ${keys.join(" | ")})${what === "" ? "" : ` ${what}`} ;;\n`;
  }
  yield "    *) return 1 ;;\n  esac\n}\n";
  yield FUNCTION.replace("COMMANDS", shellQuoted(names));
}

// Patterns of "COMMAND --OPTION" or "COMMAND OPERAND", and what they are completed with. The command
// does not matter where all that have the option agree. "--OPTION=" takes a value behind its = alone.
function pairsOf({ commands, every }: Vocabulary): [string, string][] {
  const options = commands.flatMap(({ name, options, hasEvery }) =>
    [...options, ...(hasEvery ? every : [])].filter(({ value }) => value !== null).map(
      (option) => ({
        command: name,
        option: `--${option.name}${option.isValueOptional ? "=" : ""}`,
        what: assignments(option.values),
      }),
    )
  );
  const agreed = (name: string) =>
    new Set(options.filter(({ option }) => option === name).map(({ what }) => what)).size === 1;
  const pairs = options.map(({ command, option, what }): [string, string] => [
    agreed(option) ? `*${shellQuoted(` ${option}`)}` : shellQuoted(`${command} ${option}`),
    what,
  ]);
  const operands = commands.flatMap(({ name, operands }) =>
    operands.map((
      values,
      n,
    ): [string, string] => [shellQuoted(`${name} ${n}`), assignments(values)])
  );
  return [...new Map([...pairs, ...operands])];
}

function assignments({ words, path, fileAfter, isList }: ValueWords): string {
  return [
    words.length === 0 ? "" : `words=${shellQuoted(words.join(" "))}`,
    path === null ? "" : `path=${shellQuoted(path)}`,
    fileAfter.length === 0 ? "" : `after=${shellQuoted(fileAfter.join(" "))}`,
    isList ? "list=1" : "",
  ].filter((one) => one !== "").join(" ");
}

const FUNCTION = String.raw`
_dirtyring() {
  local words path after list options command='' awaited='' ended='' operands=0
  local -a line=()
  local n word cur prefix=''
  # bash cuts words at : and =.
  for ((n = 1; n <= COMP_CWORD; n++)); do
    word=${"$"}{COMP_WORDS[n]}
    if ((${"$"}{#line[@]})) && [[ $word == [:=]* || -n $word && ${"$"}{line[-1]} == *[:=] ]]; then
      line[-1]+=$word
    else
      line+=("$word")
    fi
  done
  cur=${"$"}{line[-1]-}
  for word in "${"$"}{line[@]:0:${"$"}{#line[@]}-1}"; do
    if [[ -n $awaited ]]; then
      awaited=''
    elif [[ -z $ended && $word == -- ]]; then
      ended=1
    elif [[ -z $ended && $word == -* ]]; then
      if [[ -n $command ]] && _dirtyring_values "$command $word"; then awaited=$word; fi
    elif [[ -z $command ]]; then
      command=$word
    else
      operands=$((operands + 1))
    fi
  done
  COMPREPLY=()
  if [[ -n $awaited ]]; then
    _dirtyring_values "$command $awaited"
  elif [[ -z $ended && $cur == --*=* ]]; then
    prefix=${"$"}{cur%%=*}=
    _dirtyring_values "$command ${"$"}{cur%%=*}" || _dirtyring_values "$command $prefix" || return 0
  elif [[ -z $ended && $cur == -* ]]; then
    _dirtyring_options "$command"
    words=$options path='' after='' list=''
  elif [[ -z $command ]]; then
    words=COMMANDS path='' after='' list=''
  else
    _dirtyring_values "$command $operands" || return 0
  fi
  cur=${"$"}{cur#"$prefix"}
  if [[ -n $list && $cur == *,* ]]; then
    prefix+=${"$"}{cur%,*},
    cur=${"$"}{cur##*,}
  fi
  for word in $after; do
    if [[ $cur == "$word"* ]]; then
      prefix+=$word cur=${"$"}{cur#"$word"} words='' path=file
    fi
  done
  local found
  local -a all=()
  while IFS= read -r word; do
    [[ -z $word ]] || all+=("$prefix${"$"}{word//\*/\\*}")
  done < <(compgen -W "$words" -- "$cur")
  if [[ -n $path ]]; then
    [[ $path == file ]] && found=f || found=d
    while IFS= read -r word; do
      all+=("$prefix$word")
      compopt -o filenames 2>/dev/null
    done < <(compgen -"$found" -- "$cur")
  fi
  ((${"$"}{#all[@]})) || return 0
  [[ ${"$"}{all[0]} == *[:=] && ${"$"}{#all[@]} == 1 ]] && compopt -o nospace 2>/dev/null
  # readline replaces what follows the last : or = alone.
  cur=$prefix$cur word=$cur
  for n in : =; do
    [[ $COMP_WORDBREAKS == *"$n"* ]] && word=${"$"}{word##*"$n"}
  done
  prefix=${"$"}{cur%"$word"}
  COMPREPLY=("${"$"}{all[@]#"$prefix"}")
}
complete -F _dirtyring dirtyring
`;
