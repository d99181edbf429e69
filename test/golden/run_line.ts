// Runs a command line on the model, and removes the times from its output.
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
    [stdout, stderr].map((text) => timeless(text.replaceAll(folder, "CHAIN")));
  const [out, err] = told({ stdout, stderr });
  return { line, code, stdout: out!, stderr: err! };
}

/**
 * An output without its times, which differ between runs, and without column widths, which depend
 * on them.
 */
export function timeless(text: string): string {
  const whole = parsed(text);
  if (whole !== undefined) return JSON.stringify(blank(whole), null, 1);
  return text.split("\n").map((line) => {
    const json = parsed(line);
    return json === undefined ? withoutTimes(line) : JSON.stringify(blank(json));
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

/** Fields that are a time, or made of times, here or in what they hold. */
const TIMED = /Ns$|NsPerEntry$|^(ms|slowness|ratio|copyShare)$/;

// An object without what the clock decided: which of two ways was the faster, and from where on; and
// how often there was time to measure what a reset costs.
function clockless(value: object): object {
  if ("commandLine" in value && "tool" in value) return { provenance: "PROVENANCE" };
  if ("outcome" in value) return { ...value, outcome: "OUTCOME", dirtyFraction: null };
  return "sequentialResetNsPerEntry" in value ? { ...value, repetitions: "REPETITIONS" } : value;
}

function blank(value: unknown, isTimed = false): unknown {
  if (typeof value === "number") return isTimed ? 0 : value;
  if (Array.isArray(value)) return value.map((one) => blank(one, isTimed));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(clockless(value)).map((
      [key, one],
    ) => [key, key === "samples" ? "SAMPLES" : blank(one, isTimed || TIMED.test(key))]),
  );
}

const TIMES: readonly (readonly [RegExp, string])[] = [
  [/-?\d[\d.]*(e[+-]?\d+)? ?(ns|µs|ms|s)\b/g, "TIME"],
  [/ time(stamp)?="[^"]*"/g, ' time$1="TIME"'],
  [/[\d.]+ times as (slow|fast)/g, "N times as slow or fast"],
  [/\d+ of \d+ rounds|\d+ rounds each/g, "N rounds"],
  [/\d+ % of (a pause|all pauses)/g, "N % of $1"],
  [/(TIME| -)( +(TIME|-))*/g, "TIMES"],
  [/ {2,}/g, "  "],
];

function withoutTimes(line: string): string {
  return TIMES.reduce((text, [found, instead]) => text.replaceAll(found, instead), line);
}
