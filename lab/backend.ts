import type { Kernel } from "../ffi/kernel.ts";
import type { ModelKind } from "../ffi/model_kind.ts";
import { openLibc } from "../ffi/libc.ts";
import type { ModelChoice } from "./model_choice.ts";
import { ValueError } from "./usage_error.ts";

/** A kernel to choose: a real one, the model of one in memory, or the first of them that is usable. */
export type Backend = "kvm" | "model" | "auto";

/** Which kernel a command line asks for. */
export interface BackendSelection {
  /** The kernel. */
  readonly backend: Backend;
  /** Which model, where it may be the model; the latest unless given. */
  readonly model?: ModelChoice | undefined;
}

const LATEST: ModelKind = { version: "latest", pml: false, emulator: false };

/**
 * The kernel that a command talks to. The one place that picks it.
 *
 * @param selection Which one.
 * @param trace Called with a line for each kernel call, or `null` to trace none.
 * @param note Says to a person that another kernel answers than the first choice, and why.
 * @returns The kernel.
 * @throws {ValueError} Where a model is named and the real kernel is asked for.
 * @throws {HostError} Where the real kernel is asked for and cannot be reached.
 */
export async function openKernel(
  { backend, model }: BackendSelection,
  trace: ((line: string) => void) | null = null,
  note: (text: string) => void = () => {},
): Promise<Kernel> {
  if (backend === "kvm" && model !== undefined) {
    throw new ValueError(
      { model: model.text, backend },
      (name) =>
        `${name("model")} ${model.text}: works with ${name("backend")} model or auto, not with kvm`,
    );
  }
  const traced = await tracer(trace);
  if (backend === "kvm") return traced(openLibc());
  let reason: string | null = null;
  if (backend === "auto") {
    const { tryKvm } = await import("./usable_kvm.ts");
    const found = tryKvm(() => traced(openLibc()));
    if (typeof found !== "string") return found;
    reason = found;
  }
  const { openModel } = await import("../model/model_kernel.ts");
  const kernel = openModel(model ?? LATEST);
  if (reason !== null) {
    const { kernelVersion } = await import("./host.ts");
    const instead = `running on the model of Linux ${kernelVersion(kernel)} instead`;
    note(`/dev/kvm is not usable here (${reason}); ${instead}`);
  }
  return traced(kernel);
}

async function tracer(
  trace: ((line: string) => void) | null,
): Promise<(kernel: Kernel) => Kernel> {
  if (trace === null) return (kernel) => kernel;
  const { traceKernel } = await import("../ffi/trace.ts");
  return (kernel) => traceKernel(kernel, trace);
}
