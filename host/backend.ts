// Chooses and opens the kernel under test: the real one or a model.
import { HostError } from "../ffi/errors.ts";
import type { ModelKind, ModelVersion } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { openLibc } from "../ffi/libc.ts";
import { largestRing, System } from "../kvm/system.ts";
import { ValueError } from "./errors.ts";

/** A kernel to choose: the real one, the model in memory, or the first of these that is usable. */
export type Backend = "kvm" | "model" | "auto";

/** The kernel that a command line asks for. */
export interface BackendSelection {
  /** The kernel. */
  readonly backend: Backend;
  /** Which model, if the backend is `model` or `auto`; the latest unless given. */
  readonly model?: ModelChoice | undefined;
}

const LATEST: ModelKind = { version: "latest", pml: false, emulator: false };

/**
 * Opens the kernel that a command talks to. This is the only place that chooses it.
 *
 * @param trace Called with a line for each kernel call; `null` to trace none.
 * @param note Called with a text for the user if the model stands in for the real kernel, and why.
 * @throws {ValueError} If a model is named, but the backend is `kvm`.
 * @throws {HostError} If the backend is `kvm` and libc cannot be called.
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
 * @param open Opens the kernel.
 * @returns The kernel, or in words what is missing.
 * @throws {KernelError} If the host has one, but a call fails.
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

/** The versions of the model that can be chosen, the oldest first. */
export const MODEL_VERSIONS: readonly ModelVersion[] = [
  "v5.11",
  "v6.1",
  "v6.10",
  "v6.12",
  "v6.14",
  "v6.17",
  "latest",
];

/** A model of a kernel, as a command line names it. */
export interface ModelChoice extends ModelKind {
  /** The text as the user wrote it. */
  readonly text: string;
}

/**
 * Parses the name of a model.
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
 * @throws {SyntaxError} If the text names no model; the message says what was expected.
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
