import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { type Chain, readChain } from "./checkpoint_bytes.ts";

// These checkpoints have the same bytes each time: epochs end at a number of dirty pages and not by
// a clock, and the model's vCPUs take turns in a fixed order.
const SAME = ["checkpoint", "--backend", "model", "--epochs", "2", "--max-dirty", "4"];
const MACHINES: Readonly<Record<string, readonly string[]>> = {
  real16: ["--memory", "64KiB", "--pages", "12", "--ring", "256"],
  long64: ["--memory", "128KiB", "--pages", "9", "--guest", "long64", "--slots", "2"],
  single: ["--memory", "32KiB", "--vcpus", "1", "--pattern", "random", "--pages", "8"],
};

/** The names of the folders that {@linkcode makeBases} makes. */
export const BASES: readonly string[] = Object.keys(MACHINES);

/** Writes intact checkpoints of some machines, each into its own folder below `folder`. */
export async function makeBases(folder: string): Promise<void> {
  for (const [name, args] of Object.entries(MACHINES)) {
    const output = `${folder}/${name}`;
    const all = [...SAME, ...args, "--interval", "1m", "--into", output];
    const status = await commandLine(all, REGISTRY, { terminal: () => null, announce: () => {} });
    if (status !== 0) throw new Error(`dirtyring ${all.join(" ")} ended with ${status}`);
  }
}

const read = new Map<string, Chain>();

/** The files of one of the folders that {@linkcode makeBases} made. */
export function base(folder: string, name: string): Chain {
  const path = `${folder}/${name}`;
  const chain = read.get(path) ?? readChain(path);
  read.set(path, chain);
  return chain;
}
