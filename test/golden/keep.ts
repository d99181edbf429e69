// Records what the command lines of lines.txt print now.
import { runLines } from "./run_line.ts";

const all = await runLines();
await Deno.writeTextFile(
  new URL("kept.jsonl", import.meta.url),
  all.map((one) => `${JSON.stringify(one)}\n`).join(""),
);
