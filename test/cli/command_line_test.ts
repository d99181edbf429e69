// The command line, spawned as a person or a script would, with stdout, stderr and the exit status
// checked separately. Nothing here needs /dev/kvm.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMAND_NAMES, loadCommand } from "../../commands/registry.ts";
import { dirtyring, eachOf, shell } from "../support/cli.ts";
import { elsewhere, NO_NAMESPACE } from "../support/elsewhere.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";

// One line on stderr that begins with the program's name, nothing on stdout, no stack.
async function refuses(args: readonly string[], code: number, message: string, input?: string) {
  const result = await dirtyring(args, input);
  assertEquals([result.code, result.stdout], [code, ""], args.join(" "));
  assertMatch(result.stderr, /^dirtyring: [^\n]+\n$/, args.join(" "));
  assertStringIncludes(result.stderr, message);
}

Deno.test("help lists every command, with every option's default", async () => {
  const { code, stdout, stderr } = await dirtyring(["help"]);
  assertEquals([code, stderr], [0, ""]);
  for (const name of COMMAND_NAMES) assertStringIncludes(stdout, `\n  ${name} `);
  await eachOf(COMMAND_NAMES, async (name) => {
    const shown = await dirtyring([name, "--help"]);
    assertEquals([shown.code, shown.stdout], [0, (await dirtyring(["help", name])).stdout]);
    const { options, operands } = await loadCommand(name);
    const flat = shown.stdout.replace(/\s+/g, " ");
    for (const [option, { value, fallbackText }] of Object.entries(options)) {
      assertStringIncludes(flat, `--${option} `);
      if (value !== null && fallbackText !== null) {
        assertStringIncludes(flat, `(default: ${fallbackText})`);
      }
    }
    const words = Object.values(operands).map(({ value, isRequired, isMany }) => {
      const written = isRequired ? value : `[${value}]`;
      return isMany ? `${written} [${value} ...]` : written;
    });
    assertStringIncludes(
      flat,
      `usage: ${["dirtyring", name, ...words, "[OPTION ...]"].join(" ")} `,
    );
    for (const { value, help } of Object.values(operands)) {
      assertStringIncludes(flat, ` ${value} ${help}`);
    }
  });
});

Deno.test("--version prints the version of deno.json", async () => {
  const text = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  const { stdout } = await dirtyring(["--version"]);
  assertEquals(stdout, `dirtyring ${JSON.parse(text).version}\n`);
});

Deno.test("a wrong command line gets one line and status 2", async () => {
  const cases: readonly Parameters<typeof refuses>[] = [
    [["--trace"], 2, "a command is missing"],
    [["dmp"], 2, "unknown command dmp; did you mean dirtyring dump?"],
    [["help", "dmp"], 2, "did you mean dirtyring help dump?"],
    [["dump", "extra"], 2, "unexpected extra; expected dirtyring dump [OPTION ...]"],
    [["restore"], 2, "restore: DIR is missing; expected dirtyring restore DIR [OPTION ...]"],
    [["restore", "a", "b"], 2, "unexpected b; expected dirtyring restore DIR [OPTION ...]"],
    [["live", "--rounds", "2"], 2, "unknown option --rounds"],
    [["live", "--timeout", "2s"], 2, "--timeout: goes with --stores"],
    [["live", "--stores", "2", "--duration", "2s"], 2, "--stores 2: does not go with --duration"],
    [["run", "--witness"], 2, "unknown option --witness"],
    [["dump", "--page", "3"], 2, "did you mean --pages?"],
    [["dump", "--rounds", "2"], 2, "unknown option --rounds"],
    [["reset", "--rounds", "2"], 2, "unknown option --rounds"],
    [["dump", "--vcpus", "0"], 2, "--vcpus 0: expected"],
    [["dump", "--vcpu", "1"], 2, "--vcpu 1: expected 0, or more with --vcpus"],
    [["dump", "--limit", "1", "--format", "csv"], 2, "--limit 1"],
    [["dump", "--format", "xml"], 2, "expected text, json, ndjson or csv"],
    [["dump", "--ring", "4GiB"], 2, "--ring 4GiB"],
    [["dump", "--ring", "100B"], 2, "--ring 100B"],
    [["dump", "--memory", "4GiB"], 2, "32-bit addresses"],
    [["dump", "--pattern", "stride"], 2, "expected stride:N"],
    [["reset", "--gap", "1", "--harvest-first", "1"], 2, "expected one of them"],
    [["stats", "--rule", "v5.10"], 2, "expected auto, v5.11, v6.10 or v6.17"],
  ];
  await eachOf(cases, (one) => refuses(...one));
});

Deno.test("an option that has become a command is answered with its name, however it is written", async () => {
  const of = (what: string, now: string) =>
    `dirtyring: ${what} is a command of its own: dirtyring ${now}\n`;
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["run", "--live"], of("run --live", "live")],
    [["run", "--duration", "2s", "--live", "--witness"], of("run --live", "live")],
    [["--trace", "run", "--live=x"], of("run --live", "live")],
    [["checkpoint", "--restore", "kept"], of("checkpoint --restore", "restore DIR")],
    [["checkpoint", "--restore=kept", "x"], of("checkpoint --restore", "restore DIR")],
    [["check", "--fuzz", "9", "--seed", "2"], of("check --fuzz", "fuzz N")],
    [["check", "--fuzz-file", "-"], of("check --fuzz-file", "fuzz --file FILE")],
  ];
  await eachOf(cases, async ([args, message]) => {
    const { code, stdout, stderr } = await dirtyring(args);
    assertEquals([code, stdout, stderr], [2, "", message], args.join(" "));
  });
  await refuses(["run", "--liv"], 2, "unknown option --liv");
  await refuses(["run", "--", "--live"], 2, "unexpected --live; expected dirtyring run [OPTION");
  await refuses(["stats", "--live"], 2, "unknown option --live");
});

Deno.test("a wrong pattern file gets one line that names it, and status 2", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const file = (name: string) => `file:${folder}/${name}`;
  await Deno.writeTextFile(`${folder}/words`, "1\ntwo\n");
  await Deno.writeTextFile(`${folder}/beyond`, "0x4000\n");
  await Deno.writeTextFile(`${folder}/empty`, "");
  await refuses(["dump", "--pattern", file("missing")], 2, "ENOENT");
  await refuses(["dump", "--pattern", `file:${folder}`], 2, "EISDIR");
  await refuses(["dump", "--pattern", file("words")], 2, 'line 2: "two" is no page number');
  await refuses(["dump", "--pattern", file("beyond")], 2, "line 1: page 0x4000 lies beyond");
  await refuses(["dump", "--pattern", file("empty")], 2, "holds no page number");
  await refuses(["dump", "--pattern", "file:-"], 2, "standard input, line 1", "x\n");
});

Deno.test("a full disk is one line and status 3", async () => {
  const { code, stderr } = await shell("dirtyring help > /dev/full");
  assertEquals(code, 3);
  assertMatch(stderr, /^dirtyring: standard output: [^\n]+\n$/);
});

Deno.test("--verbose shows the stack of an error", async () => {
  const { code, stderr } = await dirtyring(["dump", "--vcpus", "x", "--verbose"]);
  assertEquals(code, 2);
  assertMatch(stderr, /\n\s+at /);
});

Deno.test("without the permission to call libc a command says so and exits 4", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read=.", "main.ts", "dump"],
    cwd: new URL("../..", import.meta.url).pathname,
  }).output();
  assertEquals(code, 4);
  assertStringIncludes(new TextDecoder().decode(stderr), "--allow-ffi");
});

testUnless(
  NO_NAMESPACE,
  "a /dev/kvm that is no KVM, or absent, gets one line and status 4",
  async () => {
    const hidden = await elsewhere("mount -t tmpfs none /dev", "dirtyring dump");
    assertEquals(hidden.code, 4, hidden.stderr);
    assertMatch(hidden.stderr, /^dirtyring: open\(\/dev\/kvm\): ENOENT .*modprobe[^\n]*\n$/);
    const probed = await elsewhere("mount -t tmpfs none /dev", "dirtyring probe");
    assertEquals([probed.code, probed.stderr], [4, ""]);
    assertStringIncludes(probed.stdout, "/dev/kvm does not exist");
    assertStringIncludes(probed.stdout, "usable  no");
    const json = await elsewhere("mount -t tmpfs none /dev", "dirtyring probe --format json");
    assertEquals([json.code, JSON.parse(json.stdout).usable], [4, false]);
  },
);

Deno.test("run prints ten rounds and the sum of all, and its JSON holds each", async () => {
  const size = ["run", "--backend", "model", "--vcpus", "1", "--pages", "5", "--memory", "1MiB"];
  const text = async (rounds: string) => {
    const { code, stdout } = await dirtyring([...size, "--rounds", rounds]);
    assertEquals(code, 0);
    const table = stdout.split("\n\n").find((part) => part.startsWith("  round"))!;
    // Round and stores: the other columns are times, or the same again.
    return table.trimEnd().split("\n").slice(1).map((row) => row.trim().split(/ +/, 2).join(" "));
  };
  const shown = Array.from({ length: 10 }, (_, n) => `${n + 1} 5`);
  assertEquals(await text("10"), [...shown, "total 50"]);
  assertEquals(await text("1000"), [...shown, "total 5000", "and 990"]);
  const { stdout } = await dirtyring([...size, "--rounds", "1000", "--format", "json"]);
  assertEquals(JSON.parse(stdout).rounds.length, 1000);
});
