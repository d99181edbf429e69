// Made-up results of a bench.
import type { BenchResult } from "../../commands/bench/bench.ts";
import { costCells } from "../../commands/bench/bench_cost.ts";
import { crossoversOf } from "../../commands/bench/bench_crossing.ts";
import type { BenchOptions } from "../../commands/bench/bench_options.ts";

export const GIB = 2 ** 30;

/** The smallest bench of one sweep. */
export const OPTIONS: BenchOptions = {
  guest: "long64",
  memory: [2 ** 20],
  pages: [16],
  pattern: { name: "random", parameter: 0 },
  seed: 1,
  ringBytes: 65536 * 16,
  sweep: ["cost"],
  repetitions: 1,
};

/** The costs of one round of each way. */
export const rowOf = (totals: readonly number[]) =>
  totals.map((total, way) => ({
    learnNs: total / 4,
    rearmNs: total * 3 / 4,
    scanNs: way < 2 ? null : 7,
    fullExits: way < 2 ? 0 : null,
    bytesRead: way < 2 ? 256 : 32768,
    bytesCopied: way < 2 ? 0 : 32768 * (way - 1),
    masks: 16 - way,
  }));

export const CELLS = [
  ...costCells(
    { memoryBytes: GIB, dirtyPages: 16 },
    [[1e4, 2e4, 4e4, 5e4], [2e4, 3e4, 5e4, 6e4]].map(rowOf),
  ),
  ...costCells({ memoryBytes: GIB, dirtyPages: 4096 }, [[9e6, 5e6, 1e6, 1e6]].map(rowOf)),
  ...costCells({ memoryBytes: 16 * GIB, dirtyPages: 16 }, [[1e4, 2e4, 4e5, 5e5]].map(rowOf)),
];

const COSTS = {
  harvestNsPerEntry: 4,
  sortNsPerEntry: 0,
  resetNsPerEntry: 96,
  totalNsPerEntry: 100,
  batches: 50,
  samples: { harvestNsPerEntry: [4], sortNsPerEntry: [0], resetNsPerEntry: [96] },
};
const SORTED = {
  ...COSTS,
  sortNsPerEntry: 30,
  resetNsPerEntry: 16,
  totalNsPerEntry: 50,
  batches: 9,
  samples: { harvestNsPerEntry: [4], sortNsPerEntry: [30], resetNsPerEntry: [16] },
};
const PATTERN = {
  entries: 4096,
  batches: 64,
  pagesPerBatch: 64,
  repetitions: 5,
  ratio: 1,
  samples: { resetNsPerEntry: [18, 19, 20, 22, 40] },
};
const NS = {
  resetNsPerEntry: 20,
  minNsPerEntry: 18,
  maxNsPerEntry: 40,
  q1NsPerEntry: 19,
  q3NsPerEntry: 22,
};
const RING = {
  repetitions: 3,
  minStoresPerSecond: 1e4,
  maxStoresPerSecond: 3e4,
  entries: 1e5,
  samples: {
    fullExits: [0, 0, 0],
    stoppedNs: [0, 0, 0],
    storesPerSecond: [1e4, 25000, 3e4],
    entries: [1e5, 1e5, 1e5],
  },
};

/** A bench of all sweeps. */
export const RESULT: BenchResult = {
  schema: "dirtyring.bench/1",
  kernel: {
    backend: "kvm",
    model: null,
    release: '6.18 <&"',
    module: "kvm_pvm",
    ringMaxBytes: 1048576,
  },
  options: {
    guest: "long64",
    memory: [GIB, 16 * GIB],
    pages: [16, 4096],
    pattern: "random",
    seed: 1,
    ring: 65536,
    sweep: ["cost", "ring-size", "pattern", "sort"],
  },
  repetitions: 1,
  cells: CELLS,
  crossover: crossoversOf(CELLS),
  ringSizeGuest: {
    vcpus: 2,
    memoryBytes: 2 ** 27,
    dirtyPages: 32768,
    stores: 100_000,
    intervalMs: 100,
  },
  ringSizes: [
    { ...RING, ringEntries: 256, fullExits: 400, stoppedNs: 4e7, storesPerSecond: 2e4 },
    { ...RING, ringEntries: 65536, fullExits: 0, stoppedNs: 0, storesPerSecond: 25000 },
  ],
  patterns: [
    { pattern: "sequential", ...PATTERN, ...NS },
    {
      pattern: "random",
      ...PATTERN,
      ...NS,
      resetNsPerEntry: 200,
      q3NsPerEntry: 250,
      pagesPerBatch: 1,
    },
  ],
  sorting: [
    {
      dirtyFraction: 0.001,
      dirtyPages: 66,
      repetitions: 9,
      plain: COSTS,
      sorted: COSTS,
      ratio: 0.5,
    },
    {
      dirtyFraction: 0.1,
      dirtyPages: 6554,
      repetitions: 9,
      plain: COSTS,
      sorted: SORTED,
      ratio: 2,
    },
  ],
  sortPays: { dirtyFraction: 0.01, outcome: "crosses" },
  emulated: false,
  problems: [],
  ok: true,
  interrupted: null,
};
/** A bench that measured nothing. */
export const NOTHING: BenchResult = {
  ...RESULT,
  cells: [],
  crossover: [],
  ringSizeGuest: null,
  ringSizes: [],
  patterns: [],
  sorting: [],
  sortPays: null,
  repetitions: 0,
};
