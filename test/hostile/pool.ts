import type { Errand, Told } from "./child.ts";
import { writeEmulator } from "./emulator.ts";
import { type CaseName, schedule } from "./formats.ts";
import type { Format } from "./hostile_case.ts";
import { MOST_MS } from "./judge.ts";

/** A fault of a case. */
export interface Failure extends CaseName {
  /** The kind of fault. */
  readonly kind: string;
  /** What was seen. */
  readonly detail: string;
  /** The command line; empty if it is unknown. */
  readonly args: readonly string[];
}

/** The totals of a format's cases. */
export interface Tally {
  /** The number of cases. */
  cases: number;
  /** The number of cases for each exit status. */
  readonly statuses: Map<number, number>;
  /** Milliseconds of all cases. */
  ms: number;
  /** Milliseconds of the slowest case. */
  slowestMs: number;
  /** The number of the slowest case. */
  slowest: number;
  /** The most memory that a case needed, in bytes. */
  mostBytes: number;
}

/** What to run. */
export interface Wish {
  /** The formats. */
  readonly formats: readonly Format[];
  /** The seed of all cases. */
  readonly seed: number;
  /** The first index in their schedule. */
  readonly from: number;
  /** The index after the last one. */
  readonly end: number;
  /** The number of processes that run cases in parallel. */
  readonly processes: number;
  /** A folder that is kept with all its files, to look at one case; `null` to remove all files. */
  readonly keep: string | null;
  /** Called with each failure as it is found. */
  failed(failure: Failure): void;
  /** Called when a case has ended. */
  ended(name: CaseName, told: Extract<Told, { kind: "end" }>): void;
}

/** The time for a child to start, in which it loads the program or prepares shared material. */
const START_MS = 120_000;
/** The child itself measures a case; after this extra time a case that does not end is killed. */
const GRACE_MS = 2_000;
const CHILD = new URL("./child.ts", import.meta.url);
const LOCK = decodeURIComponent(new URL("../deno.lock", import.meta.url).pathname);

/**
 * Runs cases in a few long-lived processes.
 *
 * @returns The totals of each format.
 */
export async function runCases(wish: Wish): Promise<ReadonlyMap<string, Tally>> {
  const folder = wish.keep ?? await Deno.makeTempDir({ prefix: "dirtyring-hostile-" });
  const tallies = new Map<string, Tally>();
  try {
    await writeEmulator(`${folder}/bin`);
    await prepare(wish.formats, folder);
    const lanes = Array.from(
      { length: wish.processes },
      (_, n) => new Lane(wish, folder, n, tallies),
    );
    await Promise.all(lanes.map((lane) => lane.run()));
  } finally {
    if (wish.keep === null) await Deno.remove(folder, { recursive: true });
  }
  return tallies;
}

// Makes the shared material of the formats once, for all processes.
async function prepare(formats: readonly Format[], folder: string): Promise<void> {
  const names = formats.map(({ name }) => name);
  const shared = `${folder}/shared`;
  await Deno.mkdir(shared);
  const nothing = { seed: 0, from: 0, step: 1, end: 0, folder, keep: false };
  const child = start({ ...nothing, shared, formats: names }, `${folder}/bin`);
  const { code, stderr } = await child.output();
  if (code !== 0) throw new Error(`Cannot prepare: ${new TextDecoder().decode(stderr)}`);
}

function start(errand: Errand, bin: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check", `--lock=${LOCK}`, "--frozen"],
      ...["--v8-flags=--expose-gc", "--allow-all", CHILD.href, JSON.stringify(errand)],
    ],
    env: { PATH: `${bin}:${Deno.env.get("PATH") ?? ""}`, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

// Runs every n-th case, where n is the number of lanes, in one process after another.
class Lane {
  readonly #wish: Wish;
  readonly #folder: string;
  readonly #number: number;
  readonly #tallies: Map<string, Tally>;
  readonly #nameAt: (at: number) => CaseName | null;
  #children = 0;

  constructor(wish: Wish, folder: string, number: number, tallies: Map<string, Tally>) {
    this.#wish = wish;
    this.#folder = folder;
    this.#number = number;
    this.#tallies = tallies;
    this.#nameAt = schedule(wish.formats);
  }

  async run(): Promise<void> {
    const { from, end, processes } = this.#wish;
    for (let at = from + this.#number; at < end && this.#nameAt(at) !== null;) {
      const last = await this.#runChild({ from: at, step: processes, end }, false);
      if (last === null) return;
      at = last + processes;
    }
  }

  // Answers the index of the last case that was run; null if no case was left.
  async #runChild(
    part: Pick<Errand, "from" | "step" | "end">,
    isAgain: boolean,
  ): Promise<number | null> {
    const { seed, formats, keep } = this.#wish;
    const folder = `${this.#folder}/${this.#number}-${this.#children++}`;
    await Deno.mkdir(folder);
    const names = formats.map(({ name }) => name);
    const shared = `${this.#folder}/shared`;
    const child = start(
      { ...part, seed, folder, shared, keep: keep !== null, formats: names },
      `${this.#folder}/bin`,
    );
    let timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
    const words = new Response(child.stderr).text();
    let begun: number | null = null;
    let last: number | null = null;
    let isLate = false;
    for await (const line of linesOf(child.stdout)) {
      const told: Told = JSON.parse(line); // written by child.ts
      clearTimeout(timer);
      if (told.kind === "begin") {
        begun = told.at;
        timer = setTimeout(() => {
          isLate = true;
          child.kill("SIGKILL");
        }, MOST_MS + GRACE_MS);
        continue;
      }
      begun = null;
      last = told.at;
      timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
      await this.#take(told, isAgain);
    }
    clearTimeout(timer);
    const { code, signal } = await child.status;
    const said = await words;
    if (keep === null) await Deno.remove(folder, { recursive: true });
    if (begun === null) {
      if (code === 0) return last;
      throw new Error(`The process that runs cases ended with ${signal ?? code}: ${said}`);
    }
    if (isLate && !isAgain) await this.#runChild({ from: begun, step: 1, end: begun + 1 }, true);
    else if (isLate) this.#fail(begun, "time", `did not end within ${MOST_MS} ms`, []);
    else {this.#fail(
        begun,
        "crash",
        `${signal ?? `exit status ${code}`}: ${said.slice(0, 2000)}`,
        [],
      );}
    return begun;
  }

  async #take(told: Extract<Told, { kind: "end" }>, isAgain: boolean): Promise<void> {
    const { at, args, faults, status, ms, peakBytes } = told;
    // Earlier cases in the same process may affect time and memory, so repeat the case in a process
    // of its own.
    if (!isAgain && faults.some(({ kind }) => kind === "time" || kind === "memory")) {
      await this.#runChild({ from: at, step: 1, end: at + 1 }, true);
      return;
    }
    const name = this.#nameAt(at)!;
    const tally = this.#tallies.get(name.format) ??
      { cases: 0, statuses: new Map(), ms: 0, slowestMs: 0, slowest: 0, mostBytes: 0 };
    this.#tallies.set(name.format, tally);
    tally.cases++;
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
    tally.ms += ms;
    if (ms > tally.slowestMs) [tally.slowestMs, tally.slowest] = [ms, name.number];
    tally.mostBytes = Math.max(tally.mostBytes, peakBytes ?? 0);
    for (const { kind, detail } of faults) this.#fail(at, kind, detail, args);
    this.#wish.ended(name, told);
  }

  #fail(at: number, kind: string, detail: string, args: readonly string[]): void {
    this.#wish.failed({ ...this.#nameAt(at)!, kind, detail, args });
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
