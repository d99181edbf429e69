// Command lines that take a while, on any backend, so that a signal can interrupt them at work.
import type { Random } from "../../guest/pattern.ts";
import { once, pick, weighted } from "./chance.ts";

/** The signals that end a command. */
export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** One of them. */
export type EndingSignal = typeof SIGNALS[number];

/** A command line, and the signal that it gets. */
export interface SignalCase {
  /** The command line. */
  readonly args: readonly string[];
  /** The signal. */
  readonly signal: EndingSignal;
  /** Milliseconds after the start of the process. */
  readonly afterMs: number;
}

/**
 * Names for use in a line: `restored` is an existing folder of checkpoints, the others do not exist
 * yet.
 */
export const NAMES = { restored: "restored", output: "kept", result: "result.json" } as const;

type Line = (random: Random) => readonly string[];

const LINES: readonly (readonly [number, Line])[] = [
  [4, (random) => ["run", ...lab(random), "--rounds", `${1 + random(200)}`, ...json(random)]],
  [1, (random) => ["run", ...lab(random), "--sort"]],
  [4, (random) => ["live", "--duration", "60m", ...lab(random), ...json(random)]],
  [1, (random) => ["live", "--stores", "9007199254740991", ...lab(random)]],
  [3, (random) => ["stats", ...lab(random), "--rounds", `${1 + random(200)}`]],
  [
    2,
    (
      random,
    ) => ["dump", ...lab(random), "--format", pick(random, ["text", "json", "csv", "ndjson"])],
  ],
  [1, (random) => ["dump", ...lab(random), "--all", ...json(random)]],
  [2, (random) => ["reset", ...lab(random), ...(once(random, 2) ? ["--sort"] : [])]],
  [4, (random) => ["check", ...result(random)]],
  [1, () => ["check", "--repeat", "1000", "--only", "reset.*"]],
  [1, () => ["check", "--list"]],
  [4, (random) => ["checkpoint", "--duration", "60m", ...interval(random), ...tracked(random)]],
  [3, () => ["restore", NAMES.restored]],
  [4, (random) => ["bench", "--sweep", sweep(random), ...result(random)]],
  [1, (random) => ["bench", "--sweep", "cost", "--svg", NAMES.output, "--memory", memory(random)]],
  [1, () => ["bench"]],
  [2, (random) => ["reset", ...lab(random), "--sort"]],
  [2, (random) => ["dump", ...lab(random), ...json(random)]],
  [1, () => ["enable", "--matrix"]],
  [1, () => ["probe"]],
  [1, (random) => ["help", ...(once(random, 2) ? ["run"] : [])]],
];

/** Command lines that only a real kernel can run. */
const KVM_LINES: readonly (readonly [number, Line])[] = [
  [2, (random) => ["fuzz", "100000", "--seed", `${random(1000)}`, ...json(random)]],
];

/** The latest moment of a signal, in milliseconds: by then most commands are in their main work. */
const LATEST_MS = 3000;
/** The time in which Deno starts and loads the program, in milliseconds. */
const LOADING_MS = 120;

/** Makes a command line, and picks a signal and its moment. */
export function signalCase(random: Random, backend: string): SignalCase {
  const lines = backend === "kvm" ? [...LINES, ...KVM_LINES] : LINES;
  const line = weighted(random, lines)(random);
  const args = ["help", "fuzz", "--list"].some((word) => line.includes(word))
    ? line
    : [...line, "--backend", backend];
  return {
    args,
    signal: pick(random, SIGNALS),
    afterMs: once(random, 5) ? random(LOADING_MS) : random(LATEST_MS),
  };
}

function lab(random: Random): string[] {
  const guest = pick(random, ["real16", "long64"]);
  const sizes = ["64KiB", "64MiB", "1GiB", ...(guest === "long64" ? ["16GiB"] : ["3GiB"])];
  const pattern = pick(random, ["sequential", "random", "zigzag", "window:9", "hot:7"]);
  return [
    ...["--guest", guest, "--memory", pick(random, sizes), "--pattern", pattern],
    ...["--pages", `${2 ** random(23)}`, "--vcpus", `${1 + random(4)}`],
    ...["--ring", pick(random, ["1024", "4096", "65536"])],
  ];
}

function memory(random: Random): string {
  return pick(random, ["16MiB", "1GiB", "16GiB"]);
}

function json(random: Random): string[] {
  return once(random, 2) ? ["--format", "json"] : [];
}

function result(random: Random): string[] {
  return once(random, 2) ? ["--format", "json", "--output", NAMES.result] : json(random);
}

function interval(random: Random): string[] {
  return ["--interval", pick(random, ["1ms", "20ms", "1s"])];
}

function tracked(random: Random): string[] {
  return [
    ...["--tracking", pick(random, ["ring", "bitmap", "bitmap-manual"])],
    ...[
      "--guest",
      pick(random, ["real16", "long64"]),
      "--memory",
      pick(random, ["1MiB", "64MiB", "1GiB"]),
    ],
    ...["--pages", `${2 ** random(18)}`, ...(once(random, 3) ? [] : ["--into", NAMES.output])],
  ];
}

function sweep(random: Random): string {
  return pick(random, ["cost", "ring-size", "pattern", "sort"]);
}
