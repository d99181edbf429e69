// Standard output that nobody reads: one rule for every command, whatever it prints and when.
import { assertEquals } from "@std/assert";
import { readStatus } from "../../cli/command.ts";
import { dirtyring, eachOf, shell } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";

/** Command lines of every command, with every way of printing; in a folder of checkpoints. */
const LINES: readonly string[] = [
  "--version",
  "help",
  "help run",
  "run --help",
  "probe --backend model",
  "enable --backend model",
  "enable --backend model --matrix --format json",
  ...["text", "json", "ndjson", "csv"].map((format) => `dump --backend model --format ${format}`),
  "reset --backend model",
  "stats --backend model",
  "run --backend model",
  "run --backend model --format json",
  ...["text", "json", "ndjson"].map((format) =>
    `live --backend model --stores 200000 --memory 1MiB --interval 1ms --format ${format}`
  ),
  ...["text", "json", "ndjson"].map((format) =>
    `checkpoint --backend model --epochs 3 --interval 5ms --format ${format}`
  ),
  "restore kept --backend model",
  "check --list",
  ...["text", "json", "ndjson", "ktap", "junit"].map((format) =>
    `check --backend model --only enable.* --format ${format}`
  ),
  "bench --backend model --sweep pattern --repetitions 1",
  "bench --backend model --sweep pattern --repetitions 1 --format csv",
];

/** Runs a command line with an output whose reader has gone before it starts. */
async function unread(line: string, cwd: string): Promise<string> {
  const pipe = crypto.randomUUID();
  const open = `mkfifo ${pipe}; exec 3<>${pipe} 4>${pipe}; exec 3<&-`;
  const { stderr } = await shell(
    `set -f; ${open}; dirtyring ${line} >&4 4>&-; echo $? >&2`,
    cwd,
  );
  return stderr.trimEnd();
}

Deno.test("141 says that nobody read all of the output, whatever the command, and nothing else is said", async () => {
  await using made = await Folder.make();
  const kept = ["--epochs", "1", "--interval", "1ms", "--into", `${made.path}/kept`];
  assertEquals((await dirtyring(["checkpoint", "--backend", "model", ...kept])).code, 0);
  await eachOf(LINES, async (line) => assertEquals(await unread(line, made.path), "141", line));
});

Deno.test("what is worse than an output that nobody read keeps its status, and so does a result in a file", async () => {
  await using made = await Folder.make();
  const known = "check --backend model --strict --only reset.signal-lost-batch --format json";
  assertEquals(await unread(known, made.path), "1");
  assertEquals(await unread("run --backend model --output result.json", made.path), "0");
  assertEquals([0, 1, 3, 130].map((status) => readStatus(false, status)), [141, 1, 3, 130]);
  assertEquals([0, 1, 3, 130].map((status) => readStatus(true, status)), [0, 1, 3, 130]);
});
