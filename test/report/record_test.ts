// What JSON holds beside a result: where it comes from, and no times where none are wanted.
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Provenance } from "../../host/provenance.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { recorded, withoutTimes } from "../../report/record.ts";

const FROM: Provenance = {
  tool: { version: "1.2.3", commit: null },
  commandLine: ["dirtyring", "x"],
  host: { cpu: null, cores: 2, memoryBytes: null },
  kernel: null,
  time: { startedAt: "2026-01-02T03:04:05.000Z", durationNs: 7 },
};

Deno.test("provenance stands behind the kernel, and only where it is wanted", () => {
  const result = { schema: "dirtyring.x/1", kernel: { release: "6.1" }, ok: true };
  const page = { ...PLAIN_PAGE, provenance: FROM };
  assertEquals(JSON.stringify(recorded(result, PLAIN_PAGE)), JSON.stringify(result));
  const whole = recorded(result, page);
  assertEquals(whole, { ...result, provenance: FROM, kernels: undefined });
  assertEquals(Object.keys(whole as object).slice(0, 3), ["schema", "kernel", "provenance"]);
  assertStrictEquals(recorded("text", page), "text");
  const line = { epoch: 1 };
  assertStrictEquals(recorded(line, page), line);
});

Deno.test("a result of a machine keeps its own provenance, or loses it", () => {
  const own = { ...FROM, host: { ...FROM.host, cores: 64 } };
  const result = { schema: "dirtyring.x/1", provenance: own };
  const run = { schema: "dirtyring.x-kernels/1", kernels: [{ label: "a", report: result }] };
  const page = { ...PLAIN_PAGE, provenance: FROM };
  assertEquals((recorded(result, page) as typeof result).provenance, own);
  assertEquals(JSON.stringify(recorded(result, PLAIN_PAGE)), '{"schema":"dirtyring.x/1"}');
  assertEquals(JSON.stringify(recorded(run, page)).match(/"cores":\d+/g), [
    '"cores":2',
    '"cores":64',
  ]);
  assert(!JSON.stringify(recorded(run, PLAIN_PAGE)).includes("cores"));
});

Deno.test("without times no measured time is left, and what was asked for stays", () => {
  const result = {
    resetNs: 5,
    intervalNs: 10,
    entries: 3,
    sort: { ratio: 1.5, faster: 3, repetitions: 5 },
    measured: { resetNsPerEntry: 3.5, emulated: false },
    crossover: [{ memory: 1 }],
    cells: [{ storesPerSecond: 4 }],
    sortPays: { dirtyFraction: 0.1, outcome: "crosses" },
    summary: { copyShare: { overall: 0.5, median: 0.4 }, bytes: 7 },
    limit: { given: true, slowness: 1.5 },
    provenance: FROM,
  };
  assertEquals(withoutTimes(result), {
    resetNs: null,
    intervalNs: 10,
    entries: 3,
    sort: { ratio: null, faster: null, repetitions: 5 },
    measured: { resetNsPerEntry: null, emulated: false },
    crossover: null,
    cells: [{ storesPerSecond: null }],
    sortPays: null,
    summary: { copyShare: null, bytes: 7 },
    limit: { given: true, slowness: null },
    provenance: { ...FROM, time: null },
  });
});

const OF_MODEL = {
  schema: "dirtyring.x/1",
  kernel: { backend: "model" },
  elapsedNs: 5,
  vcpus: [{ vcpu: 0, stoppedNs: 3 }],
  fullStop: { count: 1, p50Ns: 3 },
  harvest: { count: 1, p50Ns: 4 },
  sort: { ratio: 1.5, faster: 3, plain: { resetNsPerEntry: 2 } },
};
const NO_VERDICT = { ratio: null, faster: null };

function shown(page: Pick<Page, "times" | "clock">, clocked?: readonly string[]): unknown {
  return JSON.parse(JSON.stringify(recorded(OF_MODEL, { ...PLAIN_PAGE, ...page }, clocked)));
}

Deno.test("times by a model's clock stay, unless no time is wanted at all", () => {
  const clocked = ["elapsedNs", "stoppedNs", "fullStop"];
  const measured = {
    harvest: { count: 1, p50Ns: null },
    sort: { ...NO_VERDICT, plain: { resetNsPerEntry: null } },
  };
  assertEquals(shown({ times: false, clock: true }, clocked), { ...OF_MODEL, ...measured });
  assertEquals(shown({ times: false, clock: false }, clocked), {
    ...OF_MODEL,
    ...measured,
    elapsedNs: null,
    vcpus: [{ vcpu: 0, stoppedNs: null }],
    fullStop: { count: 1, p50Ns: null },
  });
});

Deno.test("times of the model are shown without a verdict, those of a kernel with one", () => {
  assertEquals(shown({ times: true, clock: true }), {
    ...OF_MODEL,
    sort: { ...OF_MODEL.sort, ...NO_VERDICT },
  });
  const ofKernel = { ...OF_MODEL, kernel: { backend: "kvm" } };
  assertEquals(JSON.stringify(recorded(ofKernel, PLAIN_PAGE)), JSON.stringify(ofKernel));
});

Deno.test("the counts of a comparison stay, and its times go with their ratios", () => {
  const count = {
    base: { value: 4, repetitions: null },
    others: [{ value: 6, repetitions: null, ratio: 1.5, low: null, high: null, change: "worse" }],
  };
  const time = {
    base: { value: 100, repetitions: 9 },
    others: [{ value: 120, repetitions: 9, ratio: 1.2, low: 1.1, high: 1.3, change: "worse" }],
  };
  const none = { value: null, ratio: null, low: null, high: null };
  assertEquals(withoutTimes({ figures: [count, time] }), {
    figures: [count, {
      base: { value: null, repetitions: 9 },
      others: [{ ...time.others[0], ...none }],
    }],
  });
  const ofModel = { kernel: { backend: "model" }, comparison: { figures: [count, time] } };
  assertEquals(recorded(ofModel, { ...PLAIN_PAGE, times: true }), {
    ...ofModel,
    comparison: {
      figures: [count, { ...time, others: [{ ...time.others[0], ratio: null }] }],
    },
  });
});

Deno.test("what holds no time is not copied, however long", () => {
  const entries = Array.from({ length: 5000 }, (_, index) => ({ index }));
  const result = { rings: [{ entries }], words: new Uint32Array(4) };
  assertStrictEquals(withoutTimes(result), result);
  const rounds = Array.from({ length: 5000 }, () => ({ resetNs: 1 }));
  const shown = withoutTimes({ rounds }) as { rounds: { resetNs: number | null }[] };
  assert(shown.rounds.every(({ resetNs }) => resetNs === null));
});
