/** What a child has to know before its first check. */
export interface ChildSetup {
  /** The kernel that answers. */
  readonly backend: "kvm" | "model";
  /** The model as it is written on a command line; `undefined` is the latest. */
  readonly model: string | undefined;
  /** Whether checks that make the kernel warn may run. */
  readonly allowWarn: boolean;
  /** Whether checks that could harm a kernel may run. */
  readonly allowHarm: boolean;
  /** Whether every kernel call is shown on stderr. */
  readonly trace: boolean;
  /** The path of a {@linkcode import("./step_board.ts").StepBoard}; `null` where there is none. */
  readonly steps: string | null;
}

/**
 * A setup as a child's arguments.
 *
 * @param setup The setup.
 * @returns The arguments.
 */
export function setupArguments(setup: ChildSetup): string[] {
  const { backend, model, allowWarn, allowHarm, trace, steps } = setup;
  return [
    `--backend=${backend}`,
    ...(model === undefined ? [] : [`--model=${model}`]),
    ...(allowWarn ? ["--allow-warn"] : []),
    ...(allowHarm ? ["--allow-harm"] : []),
    ...(trace ? ["--trace"] : []),
    ...(steps === null ? [] : [`--steps=${steps}`]),
  ];
}

/**
 * The setup that a child was started with.
 *
 * @example
 * ```ts
 * import { parseSetup, setupArguments } from "./child_setup.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const model = { backend: "model", model: "v6.1+pml" } as const;
 * const setup = { ...model, allowWarn: true, allowHarm: false, trace: false };
 * assertEquals(parseSetup(setupArguments({ ...setup, steps: null })), { ...setup, steps: null });
 * ```
 *
 * @param args Its arguments.
 * @returns The setup.
 */
export function parseSetup(args: readonly string[]): ChildSetup {
  const value = (name: string) =>
    args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  return {
    backend: value("--backend") === "model" ? "model" : "kvm",
    model: value("--model"),
    allowWarn: args.includes("--allow-warn"),
    allowHarm: args.includes("--allow-harm"),
    trace: args.includes("--trace"),
    steps: value("--steps") ?? null,
  };
}
