// The completion scripts, in the real shells, at a prompt where TAB is pressed.
import { assert, assertEquals } from "@std/assert";
import { completions, vocabulary } from "../../cli/completions.ts";
import { FORMATS } from "../../cli/output_places.ts";
import type { Shell } from "../../cli/about_commands.ts";
import { COMMAND_NAMES, loadCommand, REGISTRY } from "../../commands/registry.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import { PATTERN_FORMS } from "../../guest/pattern.ts";
import { MODEL_VERSIONS } from "../../host/backend.ts";
import { awaits } from "../../cli/completions/vocabulary.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";
import { missing, Prompt } from "../support/prompt.ts";

const scriptOf = async (shell: Shell) => [...await completions(shell, REGISTRY)].join("");

// A folder with something to complete.
async function place(): Promise<Folder> {
  const folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/kept`);
  await Deno.writeTextFile(`${folder.path}/pages.txt`, "");
  await Deno.writeTextFile(`${folder.path}/two words`, "");
  return folder;
}

/** What is typed, and what stands at the prompt after TAB. */
const TYPED: readonly (readonly [string, string])[] = [
  ["dirtyring prob", "dirtyring probe "],
  ["dirtyring compl", "dirtyring completions "],
  ["dirtyring chec", "dirtyring check"],
  ["dirtyring --verb", "dirtyring --verbose "],
  ["dirtyring --trace dum", "dirtyring --trace dump "],
  ["dirtyring dump --kernel-s", "dirtyring dump --kernel-state "],
  ["dirtyring dump --format nd", "dirtyring dump --format ndjson "],
  ["dirtyring dump --format=nd", "dirtyring dump --format=ndjson "],
  ["dirtyring dump --pattern zig", "dirtyring dump --pattern zigzag "],
  ["dirtyring dump --pattern=zig", "dirtyring dump --pattern=zigzag "],
  ["dirtyring dump --pattern stri", "dirtyring dump --pattern stride:"],
  ["dirtyring dump --pattern file:pag", "dirtyring dump --pattern file:pages.txt "],
  ["dirtyring dump --pattern=file:pag", "dirtyring dump --pattern=file:pages.txt "],
  ["dirtyring dump --pattern file:ke", "dirtyring dump --pattern file:kept/"],
  ["dirtyring dump --pages 3 --guest lo", "dirtyring dump --pages 3 --guest long64 "],
  ["dirtyring run --model v6.17+em", "dirtyring run --model v6.17+emulator "],
  ["dirtyring run --backend model --model lat", "dirtyring run --backend model --model latest"],
  ["dirtyring restore ke", "dirtyring restore kept/"],
  ["dirtyring restore pag", "dirtyring restore pag"],
  ["dirtyring fuzz --file two", "dirtyring fuzz --file two\\ words "],
  ["dirtyring check --output juni", "dirtyring check --output junit:"],
  ["dirtyring check --output json:pag", "dirtyring check --output json:pages.txt "],
  ["dirtyring check --output pag", "dirtyring check --output pages.txt "],
  ["dirtyring help gloss", "dirtyring help glossary "],
  ["dirtyring help checkp", "dirtyring help checkpoint "],
  ["dirtyring help --ma", "dirtyring help --man "],
  ["dirtyring completions z", "dirtyring completions zsh "],
  ["dirtyring dump --trace=pag", "dirtyring dump --trace=pages.txt "],
  ["dirtyring dump --trace --kernel-s", "dirtyring dump --trace --kernel-state "],
  ["dirtyring dump --verbose --guest lo", "dirtyring dump --verbose --guest long64 "],
  ["dirtyring dump --no-such-", "dirtyring dump --no-such-"],
];

/** Values that stand behind commas: zsh offers the next comma, and takes it back. */
const LISTS: readonly (readonly [string, string])[] = [
  ["dirtyring check --only enable.fl", "dirtyring check --only enable.flags-ignored"],
  [
    "dirtyring check --only=cap.max-bytes,enable.fl",
    "dirtyring check --only=cap.max-bytes,enable.flags-ignored",
  ],
  ["dirtyring bench --sweep cost,ri", "dirtyring bench --sweep cost,ring-size"],
];

for (const shell of ["bash", "zsh"] as const) {
  testUnless(
    await missing(shell, "script"),
    `${shell} completes what the declarations say`,
    async () => {
      await using folder = await place();
      await using prompt = await Prompt.start(shell, folder.path, await scriptOf(shell));
      for (const [typed, completed] of TYPED) {
        assertEquals(await prompt.completes(typed), completed);
      }
      for (const [typed, completed] of LISTS) {
        assertEquals(await prompt.completes(typed), `${completed}${shell === "zsh" ? "," : " "}`);
      }
    },
  );

  testUnless(
    await missing(shell, "script"),
    `${shell}: a word that is missing in the script would be noticed`,
    async () => {
      await using folder = await place();
      const script = (await scriptOf(shell)).replaceAll("zigzag", "");
      await using prompt = await Prompt.start(shell, folder.path, script);
      const [typed, completed] = TYPED.find(([text]) => text.endsWith("--pattern zig"))!;
      assert(await prompt.completes(typed) !== completed);
    },
  );
}

// The candidates that fish has for command lines, in their order.
async function fishCandidates(script: string, lines: readonly string[]): Promise<string[][]> {
  await using folder = await place();
  await Deno.writeTextFile(`${folder.path}/.script`, script);
  const { code, stdout, stderr } = await new Deno.Command("fish", {
    args: [
      "--no-config",
      "-c",
      'source .script; for line in $argv; complete -C "$line"; echo; end',
      ...lines,
    ],
    cwd: folder.path,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HOME: folder.path, LC_ALL: "C.UTF-8" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  const blocks = decoder.decode(stdout).split(/^\n/m).slice(0, lines.length);
  return blocks.map((block) =>
    block.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[0]!)
  );
}

testUnless(await missing("fish"), "fish completes what the declarations say", async () => {
  const unchanged = (text: string) => /restore pag|--no-such-/.test(text);
  // It answers all that fits: what is asked for here has one answer, or begins others, too.
  const asked = [...TYPED, ...LISTS];
  const answers = await fishCandidates(await scriptOf("fish"), asked.map(([typed]) => typed));
  for (const [n, [typed, completed]] of asked.entries()) {
    // fish escapes a name where it inserts it, and not where it tells it.
    const last = completed.trimEnd().replace(/^.*(?<!\\) /, "").replaceAll("\\", "");
    if (unchanged(typed)) assertEquals(answers[n], [], typed);
    else assert(answers[n]!.includes(last), `${typed}: ${answers[n]}, not ${last}`);
  }
});

testUnless(
  await missing("fish"),
  "fish: a word that is missing in the script would be noticed",
  async () => {
    const script = (await scriptOf("fish")).replaceAll("zigzag", "");
    assertEquals(await fishCandidates(script, ["dirtyring dump --pattern zig"]), [[]]);
  },
);

// Command lines that end where a value is completed, with all words for it.
async function valueLines(): Promise<[string, readonly string[]][]> {
  const { commands, every } = await vocabulary(REGISTRY);
  return commands.flatMap(({ name, options, hasEvery, operands }) => [
    ...[...options, ...(hasEvery ? every : [])].filter(awaits).map(
      (option): [string, readonly string[]] => [
        `dirtyring ${name} --${option.name} `,
        option.values.words,
      ],
    ),
    ...operands.slice(0, 1).map(
      ({ words }): [string, readonly string[]] => [`dirtyring ${name} `, words],
    ),
  ]);
}

testUnless(
  await missing("bash"),
  "bash knows each word of each option of each command",
  async () => {
    const lines = await valueLines();
    assert(lines.length > 100);
    const script = [
      await scriptOf("bash"),
      "cd /proc/self/task || exit", // no files to complete but numbers
      ...lines.map(([line]) => {
        const words = line.trimEnd().split(" ").map((word) => `'${word}'`);
        return `COMP_WORDS=(${words.join(" ")} '') COMP_CWORD=${words.length}; _dirtyring; ` +
          `printf '%s ' "\${COMPREPLY[@]}"; echo`;
      }),
    ].join("\n");
    const { stdout } = await new Deno.Command("bash", { args: ["-c", script] }).output();
    const answers = new TextDecoder().decode(stdout).trimEnd().split("\n");
    for (const [n, [line, words]] of lines.entries()) {
      const found = answers[n]!.trim().split(/ +/).filter((word) => !/^\d*$/.test(word));
      assertEquals(found, words.map((word) => word.replace("*", "\\*")), line);
    }
  },
);

testUnless(
  await missing("fish"),
  "fish knows each word of each option of each command",
  async () => {
    const lines = await valueLines();
    const answers = await fishCandidates(await scriptOf("fish"), lines.map(([line]) => line));
    for (const [n, [line, words]] of lines.entries()) {
      const isFile = (word: string) => /^(.*:)?(kept\/|pages\.txt|two words)$/.test(word);
      const found = answers[n]!.filter((word) => !isFile(word));
      assertEquals(found.toSorted(), words.toSorted(), line);
    }
  },
);

Deno.test("where a file or a folder is named the shell completes names, each time", async () => {
  const found = await vocabulary(REGISTRY);
  const files: string[] = [];
  for (const name of COMMAND_NAMES) {
    const { options, operands } = await loadCommand(name);
    const words = found.commands.find((one) => one.name === name)!;
    for (const [option, { file }] of Object.entries(options)) {
      if (file === undefined) continue;
      files.push(option);
      const { values } = words.options.find((one) => one.name === option)!;
      assert(values.path !== null || (values.fileAfter ?? []).length > 0, `${name} ${option}`);
    }
    for (const [n, { file }] of Object.values(operands).entries()) {
      if (file !== undefined) assert(words.operands[n]!.path !== null, `${name} ${n}`);
    }
  }
  for (const one of ["expect", "baseline", "file", "into", "pattern"]) assert(files.includes(one));
  const { operands } = found.commands.find(({ name }) => name === "compare")!;
  assert(operands.length > 5 && operands.every(({ path }) => path === "file"));
});

Deno.test("the words are those that the options take", async () => {
  const { commands } = await vocabulary(REGISTRY);
  const wordsOf = (command: string, option: string) =>
    commands.find(({ name }) => name === command)!.options.find(({ name }) => name === option)!
      .values.words;
  const ids = ALL_CHECKS.map(({ id }) => id);
  assertEquals(wordsOf("check", "only").filter((word) => !word.endsWith("*")), ids);
  const forms = PATTERN_FORMS.split(/, | or /).map((form) => form.replace(/(?<=:).*/, ""));
  assertEquals(wordsOf("dump", "pattern"), forms);
  for (const version of MODEL_VERSIONS) assert(wordsOf("run", "model").includes(`${version}+pml`));
  for (const name of COMMAND_NAMES) {
    const { options, formats } = await loadCommand(name);
    assertEquals(
      wordsOf(name, "output").toSorted(),
      formats.filter((one) => FORMATS.includes(one)).map((one) => `${one}:`).toSorted(),
    );
    for (const [option, { choices, parse }] of Object.entries(options)) {
      if (choices !== undefined) assertEquals(wordsOf(name, option), choices);
      for (const word of wordsOf(name, option)) {
        // A word that goes on is none yet.
        if (!word.endsWith(":")) parse(word);
      }
    }
  }
});
