// Runs a command line on the model, and removes from its output what differs each time.
import { type CliResult, dirtyring, eachOf } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";

/** A command line and its outcome. */
export interface Golden {
  readonly line: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The standard input of a line that reads it. */
const INPUT = "5\n0x3\n5\n1\n";

/**
 * The command lines, of words without spaces: CHAIN is a folder of checkpoints, and file:- reads
 * standard input.
 */
export async function goldenLines(): Promise<string[]> {
  const text = await Deno.readTextFile(new URL("lines.txt", import.meta.url));
  return text.trimEnd().split("\n");
}

/** Runs all of them. */
export async function runLines(): Promise<Golden[]> {
  const lines = await goldenLines();
  await using temporary = await Folder.make();
  const folder = temporary.path;
  const made = new Map<string, Golden>();
  const run = async (line: string) => void made.set(line, await runLine(line, `${folder}/chain`));
  // First those that write checkpoints, which others restore.
  for (const line of lines.filter((one) => one.includes("CHAIN") && one.startsWith("checkpoint"))) {
    await run(line);
  }
  await eachOf(lines.filter((one) => !made.has(one)), run);
  return lines.map((line) => made.get(line)!); // each was run
}

async function runLine(line: string, folder: string): Promise<Golden> {
  const args = line.split(" ").map((word) => word === "CHAIN" ? folder : word);
  const { code, stdout, stderr } = await dirtyring(
    args,
    args.includes("file:-") ? INPUT : undefined,
  );
  const told = ({ stdout, stderr }: Pick<CliResult, "stdout" | "stderr">) =>
    [stdout, stderr].map((text) => steady(text.replaceAll(folder, "CHAIN")));
  const [out, err] = told({ stdout, stderr });
  return { line, code, stdout: out!, stderr: err! };
}

/**
 * An output without what differs between runs on the model: where it comes from, and when JUnit's
 * checks were made. No other time is in it.
 */
function steady(text: string): string {
  const whole = parsed(text);
  if (whole !== undefined) return JSON.stringify(nameless(whole), null, 1);
  return text.split("\n").map((line) => {
    const json = parsed(line);
    if (json !== undefined) return JSON.stringify(nameless(json));
    return line.replaceAll(/ time(stamp)?="[^"]*"/g, ' time$1="TIME"');
  }).join("\n");
}

function parsed(text: string): unknown {
  if (!/^[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function nameless(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("provenance" in value)) return value;
  return { ...value, provenance: "PROVENANCE" };
}
