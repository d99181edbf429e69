import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { type Chain, readChain } from "./checkpoint_bytes.ts";

// Epochs end at so many dirty pages and not by a clock, on the model, whose vCPUs take their turns in a fixed order: each
// time the same bytes.
const SAME = ["checkpoint", "--backend", "model", "--epochs", "2", "--max-dirty", "4"];
const MACHINES: Readonly<Record<string, readonly string[]>> = {
  real16: ["--memory", "64KiB", "--pages", "12", "--ring", "256"],
  long64: ["--memory", "128KiB", "--pages", "9", "--guest", "long64", "--slots", "2"],
  single: ["--memory", "32KiB", "--vcpus", "1", "--pattern", "random", "--pages", "8"],
};

/** The names of the folders that {@linkcode makeBases} makes. */
export const BASES: readonly string[] = Object.keys(MACHINES);

/** Writes the checkpoints of some machines, which are whole, into folders below one. */
export async function makeBases(folder: string): Promise<void> {
  for (const [name, args] of Object.entries(MACHINES)) {
    const output = `${folder}/${name}`;
    const all = [...SAME, ...args, "--interval", "1m", "--output", output];
    const status = await commandLine(all, REGISTRY, { terminal: () => null, announce: () => {} });
    if (status !== 0) throw new Error(`dirtyring ${all.join(" ")} ended with ${status}`);
  }
}

const read = new Map<string, Chain>();

/** Their files. */
export function base(folder: string, name: string): Chain {
  const path = `${folder}/${name}`;
  const chain = read.get(path) ?? readChain(path);
  read.set(path, chain);
  return chain;
}
