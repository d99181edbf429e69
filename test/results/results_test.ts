// What command lines print on the model fits the schemas.
import { assert, assertEquals } from "@std/assert";
import { checkpointLayout, PREFIX_BYTES } from "../../checkpoint/checkpoint_header.ts";
import { dirtyring, eachOf, RunningCli } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { assertFits, assertRefused } from "./fits.ts";
import { schemaOf } from "./schemas.ts";

/** Command lines with one result, and their exit statuses. */
const LINES: readonly (readonly [string, number])[] = [
  ["probe", 0],
  ["probe --model v5.11", 0],
  ["enable", 0],
  ["enable --ring 1024 --model v6.17+pml --matrix", 0],
  ["dump --pages 12", 0],
  ["dump --vcpus 2 --all --ring 256 --pages 40 --kernel-state", 0],
  ["dump --guest long64 --slots 3 --ring 256 --pages 600 --pattern zigzag", 0],
  ["reset --pages 40", 0],
  ["reset --gap 3 --pages 40 --kernel-state", 0],
  ["reset --harvest-first 5 --pages 40 --model v5.11", 0],
  ["reset --sort --pattern random --pages 200", 0],
  ["stats --vcpus 2 --slots 2 --pattern pingpong", 0],
  ["stats --model v6.12+emulator --pages 30 --rule v6.17", 0],
  ["run --pages 200 --rounds 2", 0],
  ["run --sort --guest long64 --pattern random --pages 300 --rounds 1 --ring 256", 0],
  ["live --stores 3000 --ring 256 --witness", 0],
  ["live --duration 20ms --sort --pattern hot:5", 0],
  ["live --stores 1000000 --timeout 1ms", 3],
  ["checkpoint --stores 9000 --interval 2ms", 0],
  ["checkpoint --epochs 2 --interval 2ms --tracking bitmap", 0],
  ["check --only coalesce.*,slot.*,cap.* --seed 3 --repeat 2", 0],
  ["check --only reset.number,full.* --model v6.1 --strict --timeout 60s", 0],
  ["check --list", 0],
  ["bench --sweep cost --memory 4MiB --pages 16 --repetitions 2", 0],
  ["bench --sweep pattern --memory 4MiB --pages 64 --repetitions 1", 0],
];

async function run(line: string): Promise<{ readonly code: number; readonly stdout: string }> {
  const [command, ...args] = line.split(" ");
  const { code, stdout, stderr } = await dirtyring([command!, "--backend", "model", ...args]);
  assert(stdout !== "", `${line}: ${stderr}`);
  return { code, stdout };
}

Deno.test("results of all commands on the model fit their schemas, and wrong ones do not", async () => {
  const found = new Set<string>();
  await eachOf(LINES, async ([line, expected]) => {
    const { code, stdout } = await run(`${line} --times --format json`);
    assertEquals(code, expected, line);
    const result = JSON.parse(stdout);
    assert(result.provenance.time.durationNs > 0, line);
    assertFits(result);
    found.add(schemaOf(result));
  });
  assertEquals([...found].toSorted(), [
    "bench-1",
    "check-1",
    "check-list-1",
    "checkpoint-1",
    "dump-1",
    "enable-1",
    "live-1",
    "probe-1",
    "reset-1",
    "run-1",
    "stats-1",
  ]);
});

Deno.test("results without provenance and without times fit their schemas", async () => {
  const lines = ["probe --no-provenance", "run --sort --pages 100 --no-provenance --no-times"];
  await eachOf(lines, async (line) => {
    const result = JSON.parse((await run(`${line} --format json`)).stdout);
    assertEquals([result.provenance, result.sort?.ratio ?? null], [undefined, null], line);
    assertFits(result);
  });
});

Deno.test("comparisons fit their schemas, and wrong ones do not", async () => {
  await using temporary = await Folder.make();
  const kept = `${temporary.path}/kept.json`;
  const lines = {
    "check --only coalesce.* --model v6.1": "check --only coalesce.* --expect",
    "check --only coalesce.* --model v6.12": "compare",
    "bench --sweep pattern --memory 4MiB --pages 64 --repetitions 5":
      "bench --sweep pattern --memory 4MiB --pages 64 --repetitions 5 --times --baseline",
    "run --pages 100 --rounds 5": "compare",
  };
  for (const [line, compares] of Object.entries(lines)) {
    const { stdout } = await run(`${line} --times --format json`);
    await Deno.writeTextFile(kept, stdout);
    const words = compares.split(" ");
    // The file is the value of the last word, if that is an option.
    const args = compares === "compare"
      ? [...words, kept, kept]
      : [...words.slice(0, -1), "--backend", "model", words.at(-1)!, kept];
    const compared = JSON.parse((await dirtyring([...args, "--format", "json"])).stdout);
    assertFits(compared);
    const comparison = compared.comparison ?? compared;
    assertEquals(comparison.schema, "dirtyring.compare/1");
    assert(comparison.statementCount > 0, line);
  }
});

/** Command lines that write lines, and the schemas of the lines before the last and of the last. */
const STREAMS: readonly (readonly [string, string, string])[] = [
  ["dump --pages 12 --vcpus 2", "dump-1#line", "dump-1#line"],
  ["live --stores 9000 --ring 256 --interval 1ms", "live-progress-1", "live-1"],
  ["checkpoint --epochs 3 --interval 2ms", "checkpoint-1#epoch", "checkpoint-1#lastLine"],
  ["check --only coalesce.*", "check-1#check", "check-1#lastLine"],
];

Deno.test("lines of NDJSON fit their schemas, and wrong ones do not", async () => {
  await eachOf(STREAMS, async ([line, each, last]) => {
    const { code, stdout } = await run(`${line} --times --format ndjson`);
    assertEquals(code, 0, line);
    const lines = stdout.trimEnd().split("\n").map((one) => JSON.parse(one));
    assert(lines.length > 2, line);
    for (const one of lines.slice(0, -1)) assertFits(one, each);
    assertFits(lines.at(-1), last);
    if (!last.endsWith("#lastLine")) return;
    const list = last.startsWith("check-1") ? "checks" : "epochs";
    assertRefused({ ...lines.at(-1), [list]: [] }, last, "false");
    assertRefused(lines.at(-1), last.split("#")[0]!, `'${list}'`);
  });
});

/** Command lines that go on until a signal ends them, what is waited for, and the last schema. */
const ENDLESS: readonly (readonly [string, "stdout" | "stderr", string, string])[] = [
  ["live --duration 60m --format ndjson", "stdout", "dirtyring.live-progress/1", "live-1"],
  ["checkpoint --duration 60m --format ndjson", "stdout", "pauseNs", "checkpoint-1#lastLine"],
  ["run --rounds 1000000 --trace --format json", "stderr", "RESET_DIRTY_RINGS", "run-1"],
  ["stats --rounds 1000000 --trace --format json", "stderr", "RESET_DIRTY_RINGS", "stats-1"],
];

Deno.test("results of commands that a signal ends fit their schemas", async () => {
  await eachOf(ENDLESS, async ([line, stream, text, schema]) => {
    const child = new RunningCli([...line.split(" "), "--backend", "model", "--memory", "4MiB"]);
    await child.prints(stream, text, 2);
    const { code, stdout } = await child.ends("SIGTERM");
    const result = JSON.parse(stream === "stderr" ? stdout : stdout.trimEnd().split("\n").at(-1)!);
    assertEquals([code, result.interrupted], [143, "SIGTERM"], line);
    assertFits(result, schema);
  });
});

// The JSON in the head of a checkpoint file.
async function headerOf(file: string) {
  const bytes = await Deno.readFile(file);
  const length = new DataView(bytes.buffer).getUint32(PREFIX_BYTES - 4, true);
  const text = new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
  const header = JSON.parse(text);
  assertEquals(checkpointLayout(length, header).end, bytes.length);
  return header;
}

Deno.test("checkpoints and what is restored of them fit their schemas", async () => {
  await using temporary = await Folder.make();
  const folder = `${temporary.path}/chain`;
  const kept = await run(
    `checkpoint --epochs 2 --interval 2ms --max-dirty 50 --into ${folder} --times --format json`,
  );
  assertFits(JSON.parse(kept.stdout));
  assertFits(await headerOf(`${folder}/epoch-000000-full.ckpt`), "checkpoint-header-1");
  assertFits(await headerOf(`${folder}/epoch-000001.ckpt`), "checkpoint-header-1");
  await Deno.truncate(`${folder}/epoch-000002.ckpt`, 6000);
  for (const format of ["json", "ndjson"]) {
    const { stdout } = await run(`restore ${folder} --format ${format}`);
    const result = JSON.parse(stdout);
    assertEquals([result.epoch, result.skipped.length, result.checks.length], [1, 1, 3]);
    assertFits(result);
  }
});
