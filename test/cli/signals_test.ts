// Command lines that a signal ends at any moment. `deno task hostile --signals 200` measures how
// long they take.
import { assertEquals } from "@std/assert";
import { chanceOf } from "../hostile/chance.ts";
import { signalCase, SIGNALS } from "../hostile/signal_lines.ts";
import { makeRestored, sendSignal } from "../hostile/signals.ts";
import { eachOf, RunningCli } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";

const CASES = 30;
const SEED = 1;

Deno.test("a signal ends a command line, and leaves no process, part or torn result behind", async () => {
  await using made = await Folder.make();
  const shared = made.path;
  await makeRestored(shared, "model");
  await eachOf(Array(CASES).keys(), async (n) => {
    const one = signalCase(chanceOf("signals", SEED, n), "model");
    const { problems } = await sendSignal(one, shared);
    assertEquals(
      problems,
      [],
      `${n}: ${one.signal} after ${one.afterMs} ms: ${one.args.join(" ")}`,
    );
  });
});

Deno.test("each signal ends a command in order, with its own status, and what was gathered is printed", async () => {
  const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
  await eachOf(SIGNALS, async (signal) => {
    const child = new RunningCli([
      ...["live", "--backend", "model", "--memory", "1MiB", "--duration", "60m"],
      ...["--format", "ndjson", "--interval", "5ms"],
    ]);
    await child.prints("stdout", "dirtyring.live-progress/1");
    const { code, stdout, stderr } = await child.ends(signal);
    const result = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
    assertEquals([code, result.interrupted, stderr], [statuses[signal], signal, ""]);
  });
});

Deno.test("a command that was started to outlive its terminal does", async () => {
  const child = new RunningCli(
    [
      ...["live", "--backend", "model", "--memory", "1MiB", "--duration", "60m"],
      ...["--format", "ndjson", "--interval", "1ms"],
    ],
    undefined,
    ["nohup"],
  );
  await child.prints("stdout", "dirtyring.live-progress/1");
  child.sends("SIGHUP");
  await child.prints("stdout", "dirtyring.live-progress/1", 400);
  const { code, stdout } = await child.ends("SIGTERM");
  const result = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals([code, result.interrupted], [143, "SIGTERM"]);
});
