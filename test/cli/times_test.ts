// On the model no verdict rests on a time, and no time is shown unless it is asked for.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirtyring, eachOf } from "../support/cli.ts";

/** Each command that measures something, with its texts of times. */
const LINES: readonly string[] = [
  "run --pages 60 --rounds 1",
  "run --pages 60 --rounds 1 --sort",
  "stats --pages 60",
  "reset --pages 60 --gap 3",
  "reset --pages 60 --sort",
  "live --stores 3000 --ring 256",
  "checkpoint --stores 3000",
  "bench --sweep cost,pattern --memory 16MiB --pages 16",
];

const TIME = /\d (ns|µs|ms|s)\b/;
/** What says that something took less time, or was worth it. */
const VERDICT = /wins|\bpay|paid|fast|slow|crossover/;
/** Words about times, which no row or column may have. */
const WORDS = /median of|measured|a second|stopped(?! at)|\bran\b|pause/;

async function textOf(line: string, ...more: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await dirtyring([
    ...line.split(" "),
    ...["--backend", "model", ...more],
  ]);
  assertEquals([code, stderr], [0, ""], line);
  // What was asked for is no time that was measured.
  return stdout.replaceAll(/harvested every [\d.]+ ms|^epochs .*/gm, "");
}

Deno.test("on the model no text has a time but by the model's clock, and no verdict", async () => {
  await eachOf(LINES, async (line) => {
    const text = await textOf(line);
    assert(!VERDICT.test(text), text);
    // The clock counts instructions. Commands with it say so, and show the same each time.
    const isClocked = /^(live|checkpoint)/.test(line);
    assertEquals(TIME.test(text), isClocked, text);
    if (isClocked) assertStringIncludes(text, "by the model's clock, which counts instructions");
    assertEquals(await textOf(line), text);
  });
});

Deno.test("--no-times leaves out times, and the columns and lines that are made of them", async () => {
  await eachOf(LINES, async (line) => {
    const text = await textOf(line, "--no-times");
    assert(!TIME.test(text) && !WORDS.test(text) && !VERDICT.test(text), text);
  });
});

Deno.test("--times shows the times of the model as its own, without a verdict", async () => {
  await eachOf(LINES, async (line) => {
    const repeated = line.startsWith("bench") ? ["--repetitions", "1"] : [];
    const text = await textOf(line, "--times", ...repeated);
    assert(TIME.test(text) && !VERDICT.test(text), text);
    if (!/^run.*1$/.test(line) || line.includes("--sort")) {
      assertStringIncludes(text, "These are times of the model, in memory: no kernel's.");
    }
  });
});
