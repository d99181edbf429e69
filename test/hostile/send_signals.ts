import { Folder } from "../support/folder.ts";
import { chanceOf } from "./chance.ts";
import { signalCase } from "./signal_lines.ts";
import { makeRestored, sendSignal } from "./signals.ts";

/** The longest that a command may take to end after a signal, in milliseconds. */
const MOST_MS = 1000;

/** A run of signal cases. */
export interface SignalOrder {
  /** The number of cases. */
  readonly cases: number;
  /** The seed of all cases. */
  readonly seed: number;
  /** The kernel, for `--backend`. */
  readonly backend: string;
  /** The number of the first case. */
  readonly first: number;
  /** A factor for all waits, on a slow machine. */
  readonly slow: number;
}

/**
 * Ends command lines with signals, one after another, and prints the outcome and the time of each.
 *
 * @returns Whether all ended within a second, times `slow`, and left nothing behind.
 */
export async function sendSignals(
  { cases, seed, backend, first, slow }: SignalOrder,
): Promise<boolean> {
  await using made = await Folder.make();
  const shared = made.path;
  const times: number[] = [];
  let failures = 0;
  await makeRestored(shared, backend);
  for (let n = first; n < first + cases; n++) {
    const one = signalCase(chanceOf("signals", seed, n), backend);
    const { ms, end, problems } = await sendSignal(one, shared, slow);
    if (ms !== null) times.push(ms);
    const late = ms !== null && ms > MOST_MS * slow ? [`took ${Math.round(ms)} ms to end`] : [];
    const took = ms === null ? "had ended" : `${Math.round(ms)} ms`;
    console.log(
      `${n}: ${one.signal} after ${one.afterMs * slow} ms: ${end}, ${took}: dirtyring ${
        one.args.join(" ")
      }`,
    );
    for (const problem of [...problems, ...late]) {
      failures++;
      console.log(
        `FAILED ${n}: ${problem}\n  deno task hostile --signals 1 --case ${n} --seed ${seed} --backend ${backend}`,
      );
    }
  }
  times.sort((a, b) => a - b);
  const at = (part: number) =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0);
  console.log(
    `${cases} signals, ${times.length} while the command ran: median ${at(0.5)} ms, 90% ${
      at(0.9)
    } ms, ` +
      `99% ${at(0.99)} ms, longest ${at(1)} ms; ${failures} failures`,
  );
  return failures === 0;
}
