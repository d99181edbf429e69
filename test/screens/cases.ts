// What is shown at terminals: a file of screens for each name.
import type { BenchResult } from "../../commands/bench/bench.ts";
import { benchKernels, benchKernelsText } from "../../commands/bench/bench_kernels.ts";
import { benchText } from "../../commands/bench/bench_text.ts";
import { checkKernelsText } from "../../commands/check/check_kernels_text.ts";
import { checkText } from "../../commands/check/check_text.ts";
import { fuzzKernelsText, fuzzText } from "../../commands/fuzz/fuzz_text.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { fuzz, fuzzKernels, type FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import { Interrupt } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { openModel } from "../../model/model_kernel.ts";
import { openKernel } from "../../host/backend.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { RESULT as BENCH } from "../support/bench_results.ts";
import { OUT_OF_TIME, reportOf, RESULTS } from "../support/check_results.ts";
import { faultyKernel } from "../support/faulty_kernel.ts";
import {
  checksWith,
  DEAD,
  kernelsOf,
  PASSED,
  releaseReport,
  runOf,
} from "../support/kernel_runs.ts";
import "../support/libc.ts"; // what listens to signals binds it
import { answer } from "../support/mutate.ts";

/** Something that is shown: what command lines print, or a text of a made-up result. */
export type ScreenCase =
  | {
    /**
     * Command lines, one after another, of words without spaces; CHAIN is a folder. With `!` in
     * front the kernel loses an entry.
     */
    readonly lines: readonly string[];
  }
  | {
    /** Writes the text. */
    text(page: Page): Iterable<string> | Promise<Iterable<string>>;
  };

const MODEL = "--backend model";
/** The least work: screens tell of its layout. */
const SMALL = `${MODEL} --memory 4MiB`;
const CHAIN = `checkpoint ${SMALL} --stores 9000 --max-dirty 50 --interval 5ms --into CHAIN`;

/** The kernel of a line with `!`. */
export async function lossyKernel(...args: Parameters<typeof openKernel>) {
  return faultyKernel(await openKernel(...args), "drops an entry", () => new Uint32Array(1));
}

async function fuzzed(kernel: Kernel, release: string): Promise<Watched<FuzzResult>> {
  const model = openModel({ version: "latest", pml: false, emulator: false });
  using interrupt = new Interrupt();
  const result = await fuzz(kernel, model, { programs: 3, seed: 1 }, interrupt);
  const facts = { ...result.kernel, backend: "kvm", model: null, module: "kvm_amd" } as const;
  return { ...result, kernel: { ...facts, release }, kernelLog: null };
}

async function fuzzTexts(page: Page): Promise<Iterable<string>> {
  const model = () => openModel({ version: "latest", pml: false, emulator: false });
  const well = await fuzzed(model(), "6.12.101+deb12-amd64");
  const short = answer(KVM_RESET_DIRTY_RINGS, (count) => count > 3 ? count - 1 : count);
  const bad = await fuzzed(short(model()), "6.18.0-rc3-next-20251103+");
  const kernels = fuzzKernels([runOf(well), runOf(bad, { status: 1 })], null);
  return [
    ...fuzzText(well, page),
    ...["\n", ...fuzzText(bad, page)],
    ...["\n", ...fuzzKernelsText(kernels, page)],
  ];
}

function* benchTexts(page: Page): Generator<string> {
  yield* benchText(BENCH, page);
  yield "\n--quiet\n";
  const failed = { ...BENCH, problems: ["ring: page 7 was stored to and not found"], ok: false };
  yield* benchText(failed, { ...page, quiet: true, header: false });
}

const BENCHES = benchKernels(
  ["6.12.101+deb12-amd64", "6.18.0-rc3-next-20251103+"].map((release) =>
    runOf<Watched<BenchResult>>({
      ...BENCH,
      kernel: { ...BENCH.kernel, release, module: "kvm_amd" },
      kernelLog: null,
    })
  ),
  null,
);

const KERNELS = kernelsOf([
  runOf(releaseReport("6.12.101+deb12-amd64", checksWith({ "enable.too-big": PASSED }))),
  runOf(releaseReport("6.18.0-rc3-next-20251103+", checksWith()), { status: 1 }),
  runOf<CheckReport>(null, DEAD),
]);

/** All of them. A command gets its screens by a line here. */
export const CASES: Readonly<Record<string, ScreenCase>> = {
  help: { lines: ["help", "help dump", "help patterns", "help statuses", "help nothing"] },
  probe: { lines: [`probe ${MODEL}`, `probe ${MODEL} --quiet`] },
  enable: { lines: [`enable ${MODEL} --matrix`, `enable ${MODEL} --matrix --only-failures`] },
  dump: {
    lines: [
      `dump ${MODEL} --vcpus 2 --pages 6 --guest long64`,
      `dump ${MODEL} --kernel-state --ring 1024 --pages 1100 --limit 3 --no-header`,
      `dump ${MODEL} --format csv --pages 2 --no-header`,
      `! dump ${MODEL} --pages 6`,
    ],
  },
  reset: {
    lines: [
      `reset ${MODEL} --gap 3 --pages 40`,
      `reset ${MODEL} --kernel-state --sort --pattern random --pages 300`,
    ],
  },
  stats: { lines: [`stats ${SMALL} --vcpus 4 --pattern window:16 --pages 1000 --rounds 2`] },
  run: {
    lines: [
      `run ${SMALL} --ring 1024 --pages 2000`,
      `run ${SMALL} --sort --pattern random --pages 900 --rounds 1 --quiet`,
      `! run ${SMALL} --pages 900 --rounds 2`,
      `! run ${SMALL} --pages 900 --rounds 2 --quiet`,
    ],
  },
  live: {
    lines: [
      `live ${SMALL} --stores 20000 --ring 1024 --vcpus 3`,
      `live ${SMALL} --stores 2000 --quiet`,
    ],
  },
  checkpoint: { lines: [CHAIN, `checkpoint ${SMALL} --stores 9000 --interval 5ms --quiet`] },
  restore: { lines: [CHAIN, `restore ${MODEL} CHAIN`, `restore ${MODEL} CHAIN --quiet`] },
  check: {
    lines: [`check ${MODEL} --only reset.n*,cap.*,entry.s*`, `check ${MODEL} --only cap.* --quiet`],
  },
  "check-failures": {
    *text(page) {
      yield* checkText(reportOf([...RESULTS, OUT_OF_TIME]), page);
      yield "\n--only-failures\n";
      yield* checkText(reportOf([...RESULTS, OUT_OF_TIME]), { ...page, onlyFailures: true });
    },
  },
  "check-list": { lines: ["check --list --only entry.*,cap.*,coalesce.*"] },
  "check-kernels": { text: (page) => checkKernelsText(KERNELS, page) },
  compare: {
    lines: [
      `check ${MODEL} --only cap.* --output old.json`,
      `check ${MODEL} --model v5.11 --only cap.*,enable.once --output new.json`,
      "compare old.json new.json",
      "compare old.json new.json --quiet",
    ],
  },
  fuzz: { text: fuzzTexts },
  bench: { text: benchTexts },
  "bench-model": {
    lines: [
      `bench ${MODEL} --memory 4MiB,16MiB --pages 16,256 --repetitions 1 --sweep cost`,
      `bench ${MODEL} --memory 4MiB --pages 16 --repetitions 1 --sweep cost --quiet`,
    ],
  },
  "bench-kernels": { text: (page) => benchKernelsText(BENCHES, page) },
  notes: {
    lines: [
      `dump ${MODEL} --pages 1100 --ring 1024 --output ring.csv`,
      `! dump ${MODEL} --pages 6 --output lost.csv`,
    ],
  },
  errors: {
    lines: [
      "dump --pages 0",
      `dump ${MODEL} --vcpu 7 --pages 4`,
      `dump ${MODEL} --pages 4 --output /nowhere/x`,
      `restore ${MODEL} /nowhere/a-folder`,
      `check ${MODEL} --only nothing.*`,
      `dump ${MODEL} --pages 4 --format csv --limit 2`,
    ],
  },
};

/** The page of a text. */
export const PAGE: Page = { ...PLAIN_PAGE, times: true };
