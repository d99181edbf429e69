// Short live runs for tests, on a real kernel or on the model.
import { live } from "../../commands/live/live.ts";
import type { LiveResult } from "../../commands/live/live_result.ts";
import type { LiveOptions } from "../../commands/live/live_run.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import type { InterruptSignal, InterruptWatch } from "../../host/interrupt.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import { type LabOptions, passesFor } from "../../machine/plan.ts";
import { makeLab } from "./labs.ts";

/** An interrupt that a test sets by itself; it listens for no signal. */
export class MadeUpInterrupt implements InterruptWatch {
  signal: InterruptSignal | null = null;
  #turn = performance.now();

  get isDue(): boolean {
    return performance.now() - this.#turn > 50;
  }

  async pause(now = false): Promise<void> {
    if (!now && !this.isDue) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#turn = performance.now();
  }
}

/** What a test changes about a live run. */
export type LiveChanges = Partial<LabOptions> & { text?: string } & Partial<LiveOptions> & {
  /** Called with the lab before it runs. */
  prepare?: (lab: RingVm) => void;
  /** Ends it early. */
  interrupt?: InterruptWatch;
};

const LEAST_BLOCK = 4096;

/** Runs a lab live, with 2 vCPUs, 2 MiB and all its pages, unless changed. */
export async function runLive(changes: LiveChanges, kernel?: Kernel): Promise<LiveResult> {
  const { prepare, interrupt = new MadeUpInterrupt(), ...rest } = changes;
  using lab = makeLab(
    {
      vcpus: 2,
      memory: 2 << 20,
      pages: 512,
      passes: (stores) => passesFor(stores, rest.vcpus ?? 2, LEAST_BLOCK),
      ...rest,
    },
    kernel,
  );
  prepare?.(lab);
  return await live(lab, interrupt, {
    stores: null,
    durationMs: null,
    intervalMs: 5,
    timeoutMs: 600_000,
    ...rest,
  });
}

/** Sums a field over vCPUs. */
export function total(
  { vcpus }: LiveResult,
  field: "stores" | "entries" | "fullExits" | "stoppedNs",
): number {
  return vcpus.reduce((sum, vcpu) => sum + vcpu[field], 0);
}
