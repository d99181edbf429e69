import type { Kernel } from "../ffi/kernel.ts";
import type { ModelKind } from "../ffi/model_kind.ts";
import { openLibc } from "../ffi/libc.ts";
import type { ModelChoice } from "./model_choice.ts";
import { UsageError } from "./usage_error.ts";

/** A kernel to choose: a real one, the model of one in memory, or the first of them that is usable. */
export type Backend = "kvm" | "model" | "auto";

/** Which kernel a command line asks for. */
export interface BackendSelection {
  /** The kernel. */
  readonly backend: Backend;
  /** Which model, where it may be the model; `undefined` is the latest. */
  readonly model: ModelChoice | undefined;
}

// What this file needs of modules that a run on the real kernel shall not load.
interface ModelModule {
  openModel(choice: ModelKind): Kernel;
}
type Host = typeof import("./host.ts");
type UsableKvm = typeof import("./usable_kvm.ts");
type Trace = typeof import("../ffi/trace.ts");

const LATEST: ModelKind = { version: "latest", pml: false, emulator: false };

/**
 * The kernel that a command talks to. The one place that picks it.
 *
 * @param selection Which one.
 * @param trace Called with a line for each kernel call, or `null` to trace none.
 * @param note Says to a person that another kernel answers than the first choice, and why.
 * @returns The kernel.
 * @throws {UsageError} Where a model is named and the real kernel is asked for.
 * @throws {HostError} Where the real kernel is asked for and cannot be reached.
 */
export async function openKernel(
  { backend, model }: BackendSelection,
  trace: ((line: string) => void) | null,
  note: (text: string) => void,
): Promise<Kernel> {
  if (backend === "kvm" && model !== undefined) {
    throw new UsageError(
      `--model ${model.text}: works with --backend model or auto, not with kvm`,
    );
  }
  const traced = await tracer(trace);
  if (backend === "kvm") return traced(openLibc());
  let reason: string | null = null;
  if (backend === "auto") {
    const { tryKvm } = await load("./usable_kvm.ts") as UsableKvm;
    const found = tryKvm(() => traced(openLibc()));
    if (typeof found !== "string") return found;
    reason = found;
  }
  const { openModel } = await load("../model/model_kernel.ts") as ModelModule;
  const kernel = openModel(model ?? LATEST);
  if (reason !== null) {
    const { kernelVersion } = await load("./host.ts") as Host;
    const instead = `running on the model of Linux ${kernelVersion(kernel)} instead`;
    note(`/dev/kvm is not usable here (${reason}); ${instead}`);
  }
  return traced(kernel);
}

async function tracer(
  trace: ((line: string) => void) | null,
): Promise<(kernel: Kernel) => Kernel> {
  if (trace === null) return (kernel) => kernel;
  const { traceKernel } = await load("../ffi/trace.ts") as Trace;
  return (kernel) => traceKernel(kernel, trace);
}

// A name that is computed is resolved here alone: what an import names literally is loaded before the
// first line runs. The caller names the type that it knows.
function load(file: string): Promise<unknown> {
  return import(new URL(file, import.meta.url).href);
}
