// Small replicas and checkpoints for tests, on a real kernel or on the model.
import { CheckpointWriter } from "../../checkpoint/checkpoint_writer.ts";
import { checkpoint } from "../../commands/checkpoint/checkpoint.ts";
import type {
  CheckpointOptions,
  CheckpointResult,
} from "../../commands/checkpoint/checkpoint_result.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import type { InterruptWatch } from "../../host/interrupt.ts";
import { trackerOf } from "../../machine/bitmap_tracker.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import { type LabOptions, passesFor, planLab } from "../../machine/plan.ts";
import type { RingTracker } from "../../machine/ring_tracker.ts";
import { openModel } from "../../model/model_kernel.ts";
import { labOptions } from "./labs.ts";
import { MadeUpInterrupt } from "./live_runs.ts";

/** A fresh model of the latest kernel. */
export function model(): Kernel {
  return openModel({ version: "latest", pml: false, emulator: false });
}

/** All ways to track dirty pages. */
export const TRACKINGS: readonly TrackingKind[] = ["ring", "bitmap", "bitmap-manual"];

/** What a test changes about a replica. */
export type KeepChanges = Partial<LabOptions> & { text?: string } & Partial<CheckpointOptions> & {
  /** How dirty pages are tracked. */
  tracking?: TrackingKind;
  /** A tracker in place of the one for `tracking`. */
  Tracker?: typeof RingTracker;
  /** Called with the VM before it runs. */
  prepare?: (vm: GuestVm) => void;
  /** Ends it early. */
  interrupt?: InterruptWatch;
  /** A pattern file's page numbers. */
  listed?: readonly number[];
  /** A folder for files. */
  folder?: string;
};

const LEAST_BLOCK = 256;

/** A VM with 2 vCPUs, 2 MiB and a random pattern over 200 pages, unless changed. */
export function makeVm(changes: KeepChanges, kernel: Kernel): GuestVm {
  const { listed, tracking = "ring", Tracker } = changes;
  const options: LabOptions = labOptions({
    vcpus: 2,
    memory: 2 << 20,
    pages: 200,
    text: "random",
    passes: (stores) => passesFor(stores, changes.vcpus ?? 2, LEAST_BLOCK),
    ...changes,
  });
  const readFile = listed === undefined ? undefined : () => Uint32Array.from(listed);
  const plan = planLab(options, readFile);
  const { ringBytes } = plan;
  return new GuestVm(
    kernel,
    plan,
    Tracker === undefined ? trackerOf(tracking, ringBytes) : new Tracker(ringBytes),
  );
}

/** Keeps a replica for three epochs of five milliseconds, unless changed. */
export async function keep(changes: KeepChanges, kernel: Kernel): Promise<CheckpointResult> {
  const { interrupt = new MadeUpInterrupt(), folder } = changes;
  using vm = makeVm(changes, kernel);
  changes.prepare?.(vm);
  return await checkpoint(vm, interrupt, {
    intervalMs: 5,
    maxDirty: null,
    durationMs: null,
    stores: null,
    epochs: changes.stores === undefined ? 3 : null,
    writer: folder === undefined ? null : new CheckpointWriter(folder),
    ...changes,
  });
}

/** If no page is stored to for so long, none will be. */
const STUCK_MS = 60_000;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/**
 * Lets no epoch of a run end before every page of the pattern was stored to in it. For vCPUs on
 * threads. Their rings must have room for all of these entries, as nobody harvests meanwhile.
 */
export function untilAllStored(
  epochs: number,
): Pick<KeepChanges, "prepare" | "watch" | "interrupt" | "epochs"> {
  let isOver = false;
  let vm: GuestVm | undefined;
  let before = new Uint32Array(0);
  const firstWords = ({ plan, memory }: GuestVm) => plan.sequence.map((at) => memory[at * 1024]!);
  const begin = () => before = firstWords(vm!);
  // Called before an epoch may end, and by the last look at the interrupt, when the run is over.
  const waitForAll = () => {
    for (let left = Infinity, since = performance.now(); performance.now() - since < STUCK_MS;) {
      const found = firstWords(vm!).filter((word, n) => word === before[n]).length;
      if (found === 0) return;
      if (found < left) since = performance.now();
      left = found;
      Atomics.wait(NEVER, 0, 0, 1);
    }
  };
  const turns = new MadeUpInterrupt();
  const interrupt: InterruptWatch = {
    get signal() {
      if (!isOver) waitForAll();
      return null;
    },
    get isDue() {
      return turns.isDue;
    },
    pause: (now) => turns.pause(now),
  };
  const prepare = (made: GuestVm) => {
    vm = made;
    begin();
  };
  const watch = ({ epoch }: { readonly epoch: number }) => {
    isOver = epoch === epochs;
    begin();
    return true;
  };
  return { prepare, watch, interrupt, epochs };
}
