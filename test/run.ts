// `deno test` with the arguments given, and with tests that are skipped shown as one line for each reason.
import { FoldedSkips } from "./support/skips.ts";

const isTerminal = Deno.stdout.isTerminal();
const child = new Deno.Command(Deno.execPath(), {
  args: ["test", ...Deno.args],
  env: isTerminal ? {} : { NO_COLOR: "1" }, // Deno colours what it writes into a pipe, too
  stdout: "piped",
}).spawn();
// An interrupt is sent to both: the tests that were under way are told before it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => {});

const folded = new FoldedSkips();
const encoder = new TextEncoder();
let isRead = true;

async function show(text: string): Promise<void> {
  try {
    for (let bytes = encoder.encode(text); isRead && bytes.length > 0;) {
      bytes = bytes.subarray(await Deno.stdout.write(bytes));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    isRead = false; // the tests go on: their status is asked for
  }
}

for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
  await show(folded.take(piece));
}
await show(folded.end());
Deno.exit((await child.status).code);
