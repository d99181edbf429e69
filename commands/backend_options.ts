import type { Backend } from "../lab/backend.ts";
import { type ModelChoice, parseModel } from "../lab/model_choice.ts";
import { choice, type Option } from "../cli/option.ts";

/** The option that names a model. */
export const modelOption: Option<ModelChoice | undefined> = {
  value: "VERSION[+pml][+emulator]",
  help:
    "kernel version of the model: v5.11, v6.1, v6.10, v6.12, v6.14, v6.17 or latest; +pml has a processor " +
    "with page-modification logging, +emulator emulates real mode, where every store pushes",
  fallback: undefined,
  fallbackText: "latest",
  parse: parseModel,
};

/**
 * The options that pick the kernel under a command.
 *
 * @returns The options.
 */
export function backendOptions(): {
  readonly backend: Option<Backend>;
  readonly model: Option<ModelChoice | undefined>;
} {
  return {
    backend: choice(
      "which kernel answers: a real /dev/kvm, the model of one in memory, or auto: the real one " +
        "where it is usable, otherwise the model",
      ["kvm", "model", "auto"],
    ),
    model: modelOption,
  };
}
