// Live runs that are interrupted at any moment, as processes of their own.
import { assert, assertEquals } from "@std/assert";
import { seeded } from "../guest/random.ts";
import { type CliResult, spawnDirtyring } from "./support/cli.ts";
import { liveTest } from "./support/live.ts";

const TIMES = 50;
/** As many at a time as keep two processors busy; each begins while others end. */
const BESIDE = 4;
/** A process is up, runs, and has harvested some after about half of this. */
const LATEST_MS = 1500;
const ARGS = ["run", "--live", "--duration", "60s", "--memory", "4MiB", "--format", "ndjson"];

async function interrupted(args: readonly string[], signal: Deno.Signal, afterMs: number) {
  const child = spawnDirtyring(args);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill(signal);
  return await child.result;
}

// Once there was a line of progress, there is a result, and it is whole.
function checkGathered({ stdout, stderr }: CliResult, signal: string): boolean {
  if (stdout === "") return false;
  const result = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals(result.schema, "dirtyring.live/1", stderr);
  assertEquals([result.ok, result.lost.count, result.interrupted], [true, 0, signal], stderr);
  const entries = result.vcpus.reduce(
    (sum: number, vcpu: { entries: number }) => sum + vcpu.entries,
    0,
  );
  assertEquals(result.resetEntries, entries);
  return true;
}

liveTest(`a live run ends in order at ${TIMES} random moments of SIGINT`, async () => {
  const random = seeded(4);
  const moments = Array.from({ length: TIMES }, () => random(LATEST_MS));
  let gathered = 0;
  const worker = async (): Promise<void> => {
    for (let moment = moments.pop(); moment !== undefined; moment = moments.pop()) {
      const guest = moment % 2 === 0 ? "real16" : "long64";
      const result = await interrupted([...ARGS, "--guest", guest], "SIGINT", moment);
      assertEquals(result.code, 130, `after ${moment} ms: ${result.stderr}`);
      if (checkGathered(result, "SIGINT")) gathered++;
    }
  };
  await Promise.all(Array.from({ length: BESIDE }, worker));
  assert(gathered > 0, "at least one had begun");
});

liveTest("a live run ends in order at SIGTERM, and prints what it gathered", async () => {
  const result = await interrupted([...ARGS, "--guest", "long64"], "SIGTERM", 3000);
  assertEquals([result.code, checkGathered(result, "SIGTERM")], [143, true]);
});

liveTest("a live run whose reader goes away ends by itself", async () => {
  const args = ["run", "--live", "--duration", "60s", "--format", "ndjson"];
  const child = spawnDirtyring(args, { readLines: 3 });
  assertEquals((await child.result).code, 141);
});
