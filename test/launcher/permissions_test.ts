// The permissions with which the launcher starts Deno: those that each command and each of its
// options needs.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { GLOBAL_OPTIONS, VM_OPTIONS } from "../../cli/global_options.ts";
import { filesOf, type Option } from "../../cli/option.ts";
import { COMMAND_NAMES, loadCommand } from "../../commands/registry.ts";
import { eachOf, shell } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { LauncherHome } from "../support/launcher.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const OWN = `--allow-read=${ROOT}`;
/** What decides about colour may always be read. */
const VARIABLES = "--allow-env=NO_COLOR,FORCE_COLOR,TERM";
const ALL = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-run"];

// What Deno is told before the program's name; what follows that must be the command line as it
// was.
async function given(home: LauncherHome, args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await home.start(args);
  assertEquals([code, stderr], [0, ""], args.join(" "));
  const [, ...lines] = stdout.trimEnd().split("\n");
  const main = lines.indexOf(`${ROOT}/main.ts`);
  assert(main > 0, stdout);
  assertEquals(lines.slice(main + 1), args);
  const permissions = lines.slice(0, main).filter((line) => line.startsWith("--allow-"));
  assertEquals(permissions.filter((line) => line.startsWith("--allow-env")), [VARIABLES]);
  return permissions.filter((line) => line !== VARIABLES);
}

/** Commands whose operands are files or folders that they read. */
const READING: readonly string[] = ["restore", "compare"];

// What a command must be given beside its options.
async function operandsOf(name: string): Promise<string[]> {
  const { operands } = await loadCommand(name);
  return Object.values(operands).flatMap(({ isRequired }) => isRequired ? ["x"] : []);
}

async function optionsOf(name: string): Promise<[string, Option<unknown>][]> {
  return Object.entries({ ...(await loadCommand(name)).options, ...GLOBAL_OPTIONS });
}

function sampleOf(name: string, { file }: Option<unknown>): string {
  if (name === "backend") return "model";
  return name === "pattern" && file !== undefined ? "file:x" : "x";
}

// By the option's declaration: the file that it names, and what is done with it.
function needed(command: string, name: string, option: Option<unknown>): string[] {
  if (name === "help" || name === "version" || name === "list") return [OWN];
  if (Object.hasOwn(VM_OPTIONS, name)) return ALL;
  const use = option.file === undefined
    ? ""
    : filesOf(option, option.parse(sampleOf(name, option)))[0]?.use ?? "";
  return [
    ...(name === "backend" || command === "compare" ? [] : ["--allow-ffi"]),
    use === "" && !READING.includes(command) ? OWN : "--allow-read",
    ...(use.startsWith("write") ? ["--allow-write"] : []),
    ...(command === "check" ? ["--allow-run"] : []),
  ];
}

Deno.test("each command gets the permissions that it needs with each of its options, and no other", async () => {
  await using home = await LauncherHome.make();
  await given(home, ["dump"]);
  await eachOf(COMMAND_NAMES, async (command) => {
    const plain = command === "check" ? ["--allow-run"] : [];
    const read = READING.includes(command) ? "--allow-read" : OWN;
    const ffi = command === "compare" ? [] : ["--allow-ffi"];
    const operands = await operandsOf(command);
    assertEquals(await given(home, [command, ...operands]), [...ffi, read, ...plain]);
    assertEquals(await given(home, [command, "a", "b"]), [...ffi, read, ...plain]);
    for (const [n, [name, option]] of (await optionsOf(command)).entries()) {
      const sample = sampleOf(name, option);
      const words = option.value === null
        ? [`--${name}`]
        : n % 2 === 0 && !option.isValueOptional
        ? [`--${name}`, sample]
        : [`--${name}=${sample}`];
      const args = n % 3 === 0
        ? [command, ...operands, ...words]
        : [command, ...words, ...operands];
      assertEquals(await given(home, args), needed(command, name, option), args.join(" "));
    }
  });
});

Deno.test("the launcher knows which options take a value, as the program does", async () => {
  await using home = await LauncherHome.make();
  await given(home, ["dump"]);
  const options = new Map((await Promise.all(COMMAND_NAMES.map(optionsOf))).flat());
  assert(options.size > 50);
  const ending = ["help", "version", "list", ...Object.keys(VM_OPTIONS)];
  await eachOf(
    [...options].filter(([name]) => !ending.includes(name)),
    async ([name, { value: placeholder, isValueOptional }]) => {
      const value = isValueOptional ? null : placeholder; // none that stands by itself
      const permissions = await given(home, ["dump", `--${name}`, "--backend=model", "--svg", "y"]);
      assertEquals(permissions.includes("--allow-ffi"), value !== null, name);
      assertEquals(permissions.includes("--allow-write"), true, name);
      assertEquals(permissions.includes("--allow-run"), false, name);
      const swallowed = await given(home, ["dump", `--${name}`, "--output=x"]);
      assertEquals(
        swallowed.includes("--allow-write"),
        value === null || ["into", "output", "svg"].includes(name),
        name,
      );
    },
  );
  for (const name of Object.keys(VM_OPTIONS)) {
    assertEquals(await given(home, ["dump", `--${name}`, "--help"]), ALL, name);
  }
});

Deno.test("what a command line says is taken as the program takes it", async () => {
  await using home = await LauncherHome.make();
  const ffi = "--allow-ffi", run = "--allow-run", write = "--allow-write", read = "--allow-read";
  const cases: readonly [string, readonly string[]][] = [
    ["", [OWN]],
    ["help", [OWN]],
    ["help check", [OWN]],
    ["help --man check", [OWN]],
    ["completions bash", [OWN]],
    ["--version", [OWN]],
    ["-V", [OWN]],
    ["check -h", [OWN]],
    ["dump --kernel x --help", [OWN]],
    ["--trace dump", [ffi, OWN]],
    ["dump --trace=x --backend model", [read, write]],
    ["dump --output - --backend model", [OWN]],
    ["dump --output=json:- --backend model --output json:x", [read, write]],
    ["--trace check --backend model", [OWN, run]],
    ["live --backend model --witness", [OWN]],
    ["run --backend auto", [ffi, OWN]],
    ["run --backend=auto --pattern=file:x", [ffi, read]],
    ["run --backend model --pattern file:-", [OWN]],
    ["run --backend model --pattern file:x", [read]],
    ["run --backend model --pattern stride:8", [OWN]],
    ["run --backend model --kernel x", ALL],
    ["dump -- --backend=model --output x", [ffi, OWN]],
    ["checkpoint --into --backend=model", [ffi, read, write]],
    ["checkpoint --backend=model --into --", [read, write]],
    ["restore --backend=model x", [read]],
    ["check --output -- --backend model", [read, write, run]],
    ["restore -- --backend=model", [ffi, read]],
    ["fuzz 3 --output=x", [ffi, read, write]],
    ["fuzz --bisect", [ffi, OWN]],
    ["fuzz --file -", [ffi, read]],
    ["fuzz --file --list", [ffi, read]],
    ["check --list --output x", [read, write]],
    ["check --only --list", [ffi, OWN, run]],
    // What the launcher does not know may be new, and need anything.
    ["dump --invented --backend model", ALL],
    ["dump --invented=3", ALL],
    ["dump --backend model -x", ALL],
    ["invented --backend model", ALL],
  ];
  for (const [line, expected] of cases) {
    const args = line === "" ? [] : line.split(" ");
    assertEquals(await given(home, args), expected, line);
  }
});

Deno.test("a folder whose name Deno cannot be told is not named to it", async () => {
  await using home = await LauncherHome.make();
  await home.mkdir("with, comma/bin");
  const launcher = home.at("with, comma/bin/dirtyring");
  await Deno.copyFile(`${ROOT}/bin/dirtyring`, launcher);
  const { stdout } = await home.start(["help"], { launcher });
  assertStringIncludes(stdout, `\n--frozen\n${VARIABLES}\n--allow-read\n`);
});

Deno.test("through the launcher each command does its work on the model, without FFI", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.writeTextFile(`${folder}/pages`, "0\n2\n1\n");
  const kept = {
    old: "stats --backend model",
    bench: "bench --backend model --sweep pattern --repetitions 1",
    check: "check --backend model --only cap.acq-rel",
  };
  for (const [name, line] of Object.entries(kept)) {
    const { code, stderr } = await shell(`dirtyring ${line} --format json >${name}.json`, folder);
    assertEquals([code, stderr], [0, ""]);
  }
  const short: Readonly<Record<string, string>> = {
    run: "--rounds 1",
    live: "--stores 2000",
    restore: `${folder}/kept`,
    check: "--only 'cap.*'",
    checkpoint: `--epochs 2 --interval 20ms --into ${folder}/kept`,
    bench: "--sweep cost --memory 1MiB --pages 16 --repetitions 1 --svg cost.svg",
    probe: "--trace",
  };
  const lines = [
    // Programs run on a real kernel, too.
    ...COMMAND_NAMES.filter((name) => !["fuzz", "compare"].includes(name))
      .map((name) => `${name} --backend model ${short[name] ?? ""}`),
    "reset --kernel-state --sort --backend model",
    "check --backend model --only cap.acq-rel --format json --output result.json",
    "dump --backend model --pattern file:pages",
    "dump --backend model --pattern file:- <pages",
    "dump --backend model --pattern file:/dev/stdin <pages",
    "cat pages | dirtyring dump --backend model --pattern file:/dev/stdin",
    "check --list --format json",
    `compare ${folder}/old.json ${folder}/old.json`,
    "bench --backend model --sweep pattern --repetitions 1 --baseline bench.json",
    "check --backend model --only cap.acq-rel --expect check.json",
    "help bench",
    "help --all",
    "help --man bench",
    "completions zsh",
  ];
  for (const line of lines) {
    const whole = line.startsWith("cat") ? line : `dirtyring ${line}`;
    const { code, stdout, stderr } = await shell(whole, folder);
    assertEquals(code, 0, `${whole}: ${stderr}`);
    if (!line.includes("--output")) assert(stdout.length > 50, whole);
    if (!line.includes("--trace")) assertEquals(stderr, "", whole);
  }
  for (const name of ["cost.svg", "result.json"]) {
    assert((await Deno.stat(`${folder}/${name}`)).size > 100);
  }
});
