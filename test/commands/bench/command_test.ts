// `dirtyring bench` as a person or a script meets it.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirtyring, eachOf, RunningCli, shell } from "../../support/cli.ts";
import { Folder } from "../../support/folder.ts";
import { liveTest } from "../../support/live.ts";

const SMALL = ["bench", "--sweep", "cost", "--memory", "1MiB,4MiB", "--pages", "16,64,256"];
const ON_MODEL = [...SMALL, "--backend", "model", "--repetitions", "1"];

async function refuses(args: readonly string[], code: number, message: string) {
  const result = await dirtyring(["bench", ...args]);
  assertEquals([result.code, result.stdout], [code, ""], args.join(" "));
  assertMatch(result.stderr, /^dirtyring: [^\n]+\n$/, args.join(" "));
  assertStringIncludes(result.stderr, message);
}

Deno.test("bench says what is wrong on its command line, with status 2", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const cases: readonly Parameters<typeof refuses>[] = [
    [["--memory", "64MiB,x"], 2, "--memory 64MiB,x: x: expected a size with a unit"],
    [["--memory", "64MiB,64MiB"], 2, "64MiB stands there twice"],
    [["--pages", "16,0"], 2, "--pages 16,0: 0: expected a whole number from 1"],
    [["--sweep", "costs"], 2, "expected cost, ring-size, pattern or sort"],
    [["--pattern", "hot:2"], 2, "every page is to be stored to once"],
    [["--pattern", "file:x"], 2, "expected sequential, reverse, stride:N"],
    [["--repetitions", "0"], 2, "--repetitions 0: expected"],
    [["--format", "ndjson"], 2, "expected text, csv, json or svg"],
    [["--svg", folder], 2, `--svg ${folder}: is a folder`],
    [
      ["--svg", `${folder}/no/such`],
      2,
      `--svg ${folder}/no/such: ENOENT (no such file or directory)`,
    ],
    [["--svg", "x", "--output", "x"], 2, "expected two different files"],
    [["--backend", "model", "--pages", "99999", "--memory", "1MiB"], 2, "--pages 99999: more"],
    [["--backend", "model", "--memory", "64GiB"], 2, "--memory 64GiB"],
  ];
  await eachOf(cases, (one) => refuses(...one));
});

Deno.test("bench writes the same figures as text, JSON and CSV, and a picture", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const json = await dirtyring([
    ...ON_MODEL,
    ...["--format", "json", "--svg", `${folder}/a.svg`, "--output", `${folder}/a.json`],
  ]);
  assertEquals([json.code, json.stdout, json.stderr], [0, "", ""]);
  const result = JSON.parse(await Deno.readTextFile(`${folder}/a.json`));
  assertEquals(Object.keys(result), [
    ...["schema", "kernel", "provenance", "options", "repetitions", "cells", "crossover"],
    ...["ringSizeGuest", "ringSizes"],
    ...["patterns", "sorting", "sortPays", "emulated", "problems", "ok", "interrupted"],
    "kernelLog",
  ]);
  assertEquals(Object.keys(result.cells[0]).slice(0, 4), [
    ...["memoryBytes", "dirtyPages", "dirtyFraction", "tracking"],
  ]);
  // On the model no time says which way wins.
  assertEquals([result.cells.length, result.crossover, result.repetitions], [24, null, 1]);
  const svg = await Deno.readTextFile(`${folder}/a.svg`);
  assertStringIncludes(svg, "model of Linux");
  assert(svg.endsWith("</svg>\n"));
  assertEquals([...Deno.readDirSync(folder)].length, 2, "nothing else is left there");

  const csv = await dirtyring([...ON_MODEL, "--format", "csv"]);
  assertEquals(csv.stdout.match(/^cost,.*,bytesRead,/gm)?.length, 24);
  assertEquals(csv.stdout.match(/^.*Ns,.*$/gm), null);
  const timed = await dirtyring([...ON_MODEL, "--format", "csv", "--times"]);
  assertEquals(timed.stdout.match(/^cost,.*,totalNs,/gm)?.length, 24);
  const text = await dirtyring(ON_MODEL);
  assertEquals([text.code, text.stderr], [0, ""]);
  assertStringIncludes(text.stdout, "ring / bitmap: below 1 the ring reads less");
});

Deno.test("bench prints what it measured though its picture cannot be written", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  // No file may grow beyond half a KiB: as good as a full disk.
  const line = `trap '' XFSZ; ulimit -f 1; dirtyring ${ON_MODEL.join(" ")} --svg a.svg`;
  const { code, stdout, stderr } = await shell(line, folder);
  assertEquals([code, stderr], [1, ""]);
  assertStringIncludes(stdout, "PROBLEM: --svg a.svg: EFBIG (file too large)");
  assertStringIncludes(stdout, "ring / bitmap");
  assertEquals([...Deno.readDirSync(folder)], []);
});

/** Twice as many as warming up may take: then there is a repetition that counts, of the first cell. */
const CLEARS = 40;

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  liveTest(`${signal} ends bench at once, with what it gathered and status ${status}`, async () => {
    const args = [...SMALL, "--repetitions", "10000", "--format", "json", "--trace"];
    const child = new RunningCli(args);
    await child.prints("stderr", "KVM_CLEAR_DIRTY_LOG", CLEARS);
    const { code, stdout } = await child.ends(signal);
    const result = JSON.parse(stdout);
    assertEquals([code, result.interrupted, result.ok], [status, signal, true]);
    assertEquals(result.cells.length % 4, 0);
    assert(result.cells.length > 0 && result.cells.length < 24);
    assert(result.cells.at(-1).repetitions < 10000);
  });
}
