// Live runs that are interrupted at any moment, as processes of their own.
import { assertEquals } from "@std/assert";
import { seeded } from "../../../guest/pattern.ts";
import { type CliResult, closedEarly, eachOf, RunningCli } from "../../support/cli.ts";
import { liveTest } from "../../support/live.ts";

const ARGS = ["live", "--duration", "60m", "--memory", "4MiB", "--format", "ndjson"];

// Once there was a line of progress, there is a result, and it is whole.
function checkGathered({ stdout, stderr }: CliResult, signal: string): void {
  const result = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals(result.schema, "dirtyring.live/1", stderr);
  assertEquals([result.ok, result.lost.count, result.interrupted], [true, 0, signal], stderr);
  const entries = result.vcpus.reduce(
    (sum: number, vcpu: { entries: number }) => sum + vcpu.entries,
    0,
  );
  assertEquals(result.resetEntries, entries);
}

const guestOf = (number: number) => number % 2 === 0 ? "real16" : "long64";

liveTest("a live run ends in order at SIGINT after any kernel call", async () => {
  const random = seeded(4);
  // A VM, its rings and its vCPUs are made in some fifty calls; resets and kicks follow.
  const moments = [0, ...Array.from({ length: 11 }, () => 1 + random(100))];
  await eachOf(moments, async (calls) => {
    const child = new RunningCli([...ARGS, "--guest", guestOf(calls), "--trace"]);
    if (calls > 0) await child.prints("stderr", "", calls);
    const result = await child.ends("SIGINT");
    assertEquals(result.code, 130, `after ${calls} calls: ${result.stderr}`);
    if (result.stdout !== "") checkGathered(result, "SIGINT");
  });
});

liveTest(
  "a live run ends in order at SIGINT after any harvest, and prints what it gathered",
  async () => {
    const random = seeded(5);
    await eachOf(Array.from({ length: 8 }, () => 1 + random(20)), async (harvests) => {
      const child = new RunningCli([...ARGS, "--guest", guestOf(harvests), "--interval", "5ms"]);
      await child.prints("stdout", "dirtyring.live-progress/1", harvests);
      const result = await child.ends("SIGINT");
      assertEquals(result.code, 130, `after ${harvests} harvests: ${result.stderr}`);
      checkGathered(result, "SIGINT");
    });
  },
);

liveTest("a live run ends in order at SIGTERM, and prints what it gathered", async () => {
  const child = new RunningCli([...ARGS, "--guest", "long64"]);
  await child.prints("stdout", "dirtyring.live-progress/1");
  const result = await child.ends("SIGTERM");
  assertEquals(result.code, 143, result.stderr);
  checkGathered(result, "SIGTERM");
});

liveTest("a live run whose reader goes away ends by itself", async () => {
  const { code } = await closedEarly(ARGS, 3);
  assertEquals(code, 141);
});
