// `deno task hostile`: runs hostile inputs of all formats from a seed, or ends command lines with
// signals.
import { parseArgs } from "@std/cli/parse-args";
import { FORMATS, schedule } from "./formats.ts";
import { shown } from "./judge.ts";
import { type Failure, runCases, type Tally } from "./pool.ts";
import { sendSignals } from "./send_signals.ts";

const USAGE = `deno task hostile [--cases N] [--seed S] [--format NAME ...] [--processes N]
deno task hostile --format NAME --seed S --case N [--keep DIR]
deno task hostile --signals N [--seed S] [--case FIRST] [--backend model|kvm] [--slow N]
--slow N is for a machine that is N times as slow as others, such as an emulated one: all waits are as much longer.
The formats are ${FORMATS.map(({ name }) => name).join(", ")}.`;
const CASES = 1_000_000;
/** The most failures to show of each kind and format. */
const SHOWN = 5;
const PROGRESS_MS = 10_000;

function fail(why: string): never {
  console.error(`${why}\n${USAGE}`);
  Deno.exit(2);
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  fail(`--${name} ${text}: expected a whole number`);
}

function describe({ format, number, kind, detail, args }: Failure, seed: number): string {
  const line = args.length === 0
    ? ""
    : `\n  dirtyring ${args.map((arg) => shown(arg, 100)).join(" ")}`;
  return `FAILED ${format} ${number}, ${kind}: ${detail}${line}\n` +
    `  deno task hostile --format ${format} --seed ${seed} --case ${number}`;
}

function summary(tallies: ReadonlyMap<string, Tally>): string[] {
  return [...tallies].map(([format, { cases, statuses, ms, slowestMs, slowest, mostBytes }]) => {
    const all = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) =>
      `${status}: ${count}`
    );
    return `${format}: ${cases} cases (${all.join(", ")}), ` +
      `${Math.round(ms / cases)} ms each, slowest ${Math.round(slowestMs)} ms (${slowest}), ` +
      `most memory ${Math.round(mostBytes / 2 ** 20)} MiB`;
  });
}

// Runs one case. In the schedule of its format alone, its index is its number.
async function runOne(format: string, number: number, seed: number, keep: string): Promise<number> {
  const formats = FORMATS.filter(({ name }) => name === format);
  if (schedule(formats)(number) === null) fail(`--case ${number}: ${format} has fewer`);
  await Deno.mkdir(keep, { recursive: true });
  let failures = 0;
  await runCases({
    formats,
    seed,
    from: number,
    end: number + 1,
    processes: 1,
    keep,
    failed(failure) {
      failures++;
      console.log(describe(failure, seed));
    },
    ended(_, { args, status, ms, peakBytes, printed }) {
      console.log(`dirtyring ${args.map((arg) => shown(arg)).join(" ")}`);
      console.log(
        `status ${status}, ${Math.round(ms)} ms, ${Math.round((peakBytes ?? 0) / 2 ** 20)} MiB`,
      );
      for (const text of printed ?? []) console.log(shown(text, 3000));
    },
  });
  console.log(`its files are in ${keep}`);
  return failures === 0 ? 0 : 1;
}

async function runAll(
  names: readonly string[],
  seed: number,
  cases: number,
  processes: number,
): Promise<number> {
  const formats = FORMATS.filter(({ name }) => names.length === 0 || names.includes(name));
  const seen = new Map<string, number>();
  let [done, failures] = [0, 0];
  const began = performance.now();
  const timer = setInterval(() => {
    const seconds = (performance.now() - began) / 1000;
    console.error(
      `${done} of ${cases} cases, ${Math.round(done / seconds)} a second, ${failures} failures`,
    );
  }, PROGRESS_MS);
  const tallies = await runCases({
    formats,
    seed,
    from: 0,
    end: cases,
    processes,
    keep: null,
    failed(failure) {
      failures++;
      const what = `${failure.format} ${failure.kind}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
      if (seen.get(what)! <= SHOWN) console.log(describe(failure, seed));
    },
    ended: () => void done++,
  });
  clearInterval(timer);
  for (const line of summary(tallies)) console.log(line);
  for (const [what, count] of seen) console.log(`failures: ${what}: ${count}`);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${done} cases in ${seconds.toFixed(1)} s, seed ${seed}: ${failures} failures`);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) {
  const names = [
    "format",
    "seed",
    "case",
    "cases",
    "processes",
    "keep",
    "signals",
    "backend",
    "slow",
  ];
  const args = parseArgs([...Deno.args], {
    string: names,
    collect: ["format"],
    unknown: (arg) => fail(`${arg}: is not known`),
  });
  const text = (name: string) => args[name] === undefined ? undefined : `${args[name]}`;
  const formats = (Array.isArray(args["format"]) ? args["format"] : []).map(String);
  const unknown = formats.find((one) => !FORMATS.some(({ name }) => name === one));
  if (unknown !== undefined) fail(`--format ${unknown}: there is none of that name`);
  const seed = whole("seed", text("seed"), 1);
  const one = text("case");
  const signals = text("signals");
  if (signals !== undefined) {
    const [count, first] = [whole("signals", signals, 0), whole("case", one, 0)];
    const slow = whole("slow", text("slow"), 1);
    const backend = text("backend") ?? "model";
    Deno.exit(await sendSignals({ cases: count, seed, backend, first, slow }) ? 0 : 1);
  }
  if (one !== undefined && formats.length !== 1) fail(`--case ${one}: goes with one --format`);
  const processes = whole("processes", text("processes"), navigator.hardwareConcurrency);
  Deno.exit(
    one === undefined
      ? await runAll(formats, seed, whole("cases", text("cases"), CASES), processes)
      : await runOne(
        formats[0]!,
        whole("case", one, 0),
        seed,
        text("keep") ?? await Deno.makeTempDir({ prefix: "dirtyring-case-" }),
      ),
  );
}
