import type { ModelKind, ModelVersion } from "../ffi/model_kind.ts";

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
 * import { parseModel } from "./model_choice.ts";
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
 * @returns The choice.
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
