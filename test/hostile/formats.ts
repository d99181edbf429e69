import { checkpointFiles } from "./checkpoint_files.ts";
import { checkpointFolders } from "./checkpoint_folders.ts";
import { commandLines } from "./command_lines.ts";
import { comparedFiles } from "./compared_files.ts";
import { fuzzScripts } from "./fuzz_scripts.ts";
import type { Format } from "./hostile_case.ts";
import { kernelFiles } from "./kernel_files.ts";
import { machines } from "./machines.ts";
import { patternFiles } from "./pattern_files.ts";
import { remembered } from "./remembered.ts";

/**
 * All formats that the tool reads. A new one needs a generator and an entry here.
 */
export const FORMATS: readonly Format[] = [
  remembered,
  checkpointFiles,
  checkpointFolders,
  fuzzScripts,
  patternFiles,
  comparedFiles,
  commandLines,
  kernelFiles,
  machines,
];

/** Identifies a case. */
export interface CaseName {
  /** The format's name. */
  readonly format: string;
  /** Its number within the format, from 0. */
  readonly number: number;
}

/**
 * The order of cases: first all cases of formats with a fixed number, then those of the other
 * formats, evenly spread in proportion to their shares.
 *
 * @returns A function that answers the case at an index, from 0; `null` if there are no more.
 */
export function schedule(formats: readonly Format[]): (at: number) => CaseName | null {
  const counted = formats.flatMap(({ name: format, count }) =>
    Array.from({ length: count ?? 0 }, (_, number) => ({ format, number }))
  );
  const endless = formats.filter(({ count }) => count === undefined);
  // The format that is furthest behind its share comes next.
  const turns: CaseName[] = [];
  const had = new Map(endless.map(({ name }) => [name, 0]));
  const sum = endless.reduce((all, { share }) => all + share, 0);
  for (let n = 0; n < sum; n++) {
    const behind = ({ name, share }: Format) => share * (n + 1) - had.get(name)! * sum;
    const next = endless.toSorted((a, b) => behind(b) - behind(a))[0]!;
    turns.push({ format: next.name, number: had.get(next.name)! });
    had.set(next.name, had.get(next.name)! + 1);
  }
  return (at) => {
    if (at < counted.length) return counted[at]!;
    if (turns.length === 0) return null;
    const { format, number } = turns[(at - counted.length) % turns.length]!;
    return {
      format,
      number: Math.floor((at - counted.length) / turns.length) * had.get(format)! + number,
    };
  };
}
