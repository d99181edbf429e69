import { HostError } from "../ffi/errors.ts";
import type { ModelKind, ModelVersion } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { openLibc } from "../ffi/libc.ts";
import { largestRing, System } from "../kvm/system.ts";
import { ValueError } from "./errors.ts";

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
 * @param trace Called with a line for each kernel call, or `null` to trace none.
 * @param note Says to a person that another kernel answers than the first choice, and why.
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
    const found = tryKvm(() => traced(openLibc()));
    if (typeof found !== "string") return found;
    reason = found;
  }
  const { openModel } = await import("../model/model_kernel.ts");
  const kernel = openModel(model ?? LATEST);
  if (reason !== null) {
    const { kernelVersion } = await import("./facts.ts");
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

/**
 * Finds out whether a kernel has a KVM with a dirty ring.
 *
 * @param open Reaches the kernel.
 * @returns The kernel, or what is missing.
 * @throws {KernelError} Where the host has one and a call fails all the same.
 */
export function tryKvm(open: () => Kernel): Kernel | string {
  try {
    const kernel = open();
    using system = System.open(kernel);
    largestRing(system);
    return kernel;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return error.what;
  }
}

/** The versions that can be chosen, the oldest first. */
export const MODEL_VERSIONS: readonly ModelVersion[] = [
  "v5.11",
  "v6.1",
  "v6.10",
  "v6.12",
  "v6.14",
  "v6.17",
  "latest",
];

/** Which kernel in memory shall answer, as a command line names it. */
export interface ModelChoice extends ModelKind {
  /** The choice as it was written. */
  readonly text: string;
}

/**
 * Reads a choice of model.
 *
 * @example
 * ```ts
 * import { parseModel } from "./backend.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseModel("v6.1+pml"), {
 *   version: "v6.1",
 *   pml: true,
 *   emulator: false,
 *   text: "v6.1+pml",
 * });
 * ```
 *
 * @param text `VERSION`, `VERSION+pml`, `VERSION+emulator` or `VERSION+pml+emulator`.
 * @throws {SyntaxError} With what was expected, where the text is none.
 */
export function parseModel(text: string): ModelChoice {
  const [first, ...traits] = text.split("+");
  const version = MODEL_VERSIONS.find((one) => one === first);
  const pml = traits.includes("pml");
  const emulator = traits.includes("emulator");
  // Each trait once, and nothing else.
  if (version === undefined || traits.length !== Number(pml) + Number(emulator)) {
    throw new SyntaxError(
      `expected ${MODEL_VERSIONS.slice(0, -1).join(", ")} or latest, then +pml, +emulator or both`,
    );
  }
  return { version, pml, emulator, text };
}
