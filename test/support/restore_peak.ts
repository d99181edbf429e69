// Restores a folder of checkpoints on the model, and prints as JSON how that ended and the peak
// memory of the process. A program, as the peak is that of a whole process.
import { readChain } from "../../checkpoint/checkpoint_chain.ts";
import { restore } from "../../commands/restore/restore.ts";
import { model } from "./checkpoints.ts";
import { MadeUpInterrupt } from "./live_runs.ts";

async function ending(folder: string): Promise<string> {
  try {
    const { problems } = await restore(model(), await readChain(folder), new MadeUpInterrupt());
    return problems.join("\n");
  } catch (error) {
    return `${error}`;
  }
}

const said = await ending(Deno.args[0]!);
const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(await Deno.readTextFile("/proc/self/status"))!;
console.log(JSON.stringify({ said, peakMiB: Number(kib) / 1024 }));
