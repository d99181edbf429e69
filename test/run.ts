// `deno test` with the arguments up to `--`, in three processes beside each other: the tests of test/ but for the
// wrong kernels; these, of which each is asked all checks; and the examples in the documentation of all else, each of
// which takes Deno a moment to load. The first alone touches a real kernel. What follows `--` names files or a filter, and is one
// process's. Skipped tests are shown as one line for each reason.
import { closing, FoldedSkips } from "./support/skips.ts";

const started = performance.now();
const end = Deno.args.indexOf("--");
const [flags, wanted] = end < 0
  ? [Deno.args, []]
  : [Deno.args.slice(0, end), Deno.args.slice(end + 1)];
const apart = "test/conformance/mutations_test.ts";

/**
 * Folders whose tests start no process and wait for nothing: they come first, and tell soonest what is broken. Deno
 * takes files in the order in which they are named, and folders behind them.
 */
const FAST = ["text", "ffi", "guest", "ring", "memory", "model", "machine", "report"];

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).toSorted();
}

const fast = (await Promise.all(
  FAST.map(async (folder) =>
    (await namesIn(`test/${folder}`)).map((name) => `test/${folder}/${name}`)
  ),
)).flat();
const others = (await namesIn("test")).filter((name) => !name.includes(".") && !FAST.includes(name))
  .map((name) => `test/${name}`);
const parts = wanted.length > 0
  ? [wanted]
  : [[`--ignore=${apart}`, ...fast, ...others], [apart], ["--ignore=test"]];

// An interrupt is sent to all: the tests that were under way are told before they end.
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => {});

let isRead = true;

async function show(text: string): Promise<void> {
  try {
    for (let bytes = new TextEncoder().encode(text); isRead && bytes.length > 0;) {
      bytes = bytes.subarray(await Deno.stdout.write(bytes));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    isRead = false; // the tests go on: their status is asked for
  }
}

const runs = parts.map((part) => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...flags, ...part],
    env: Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }, // Deno colours what it writes into a pipe, too
    stdout: "piped",
  }).spawn();
  return { child, folded: new FoldedSkips() };
});

// The first is shown as it goes; what another prints is kept until it is its turn.
const kept = runs.slice(1).map(({ child }) => new Response(child.stdout).text());
for await (const piece of runs[0]!.child.stdout.pipeThrough(new TextDecoderStream())) {
  await show(runs[0]!.folded.take(piece));
}
for (const [n, text] of kept.entries()) await show(runs[n + 1]!.folded.take(await text));
const codes = await Promise.all(runs.map(async ({ child }) => (await child.status).code));
await show(closing(runs.map(({ folded }) => folded), performance.now() - started));
Deno.exit(codes.find((code) => code !== 0) ?? 0);
