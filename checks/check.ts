import type { CheckAnswer } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";

/** The groups of docs/abi.md, in its order. */
export type Group =
  | "enabling"
  | "mapping"
  | "entry"
  | "pushing"
  | "harvesting"
  | "resetting"
  | "full"
  | "slots"
  | "coalescing";

/** A statement of docs/abi.md, and the function that asks a kernel whether it holds. */
export interface Check {
  /** The statement's id. */
  readonly id: string;
  /** The statement in a line. */
  readonly statement: string;
  /** Where the kernel promises it: one of {@linkcode import("./sources.ts")}. */
  readonly source: string;
  /** Whether a real kernel can be asked, or only a kernel in memory. */
  readonly where: "live" | "model";
  /** Whether the kernel warns where the statement is shown: its WARN_ON() is then no failure. */
  readonly warns?: true;
  /** Whether a kernel without a fix could be harmed by it: it is made last, and with `--allow-harm` alone. */
  readonly harms?: true;
  /**
   * Asks the kernel.
   *
   * @param host The kernel and what is known of it; machines made with it are disposed afterwards.
   * @returns Nothing, or what is worth saying of a statement that holds, or a {@linkcode Known} defect.
   * @throws {CheckFailure} Where the statement does not hold.
   * @throws {CheckSkip} Where this host cannot show it.
   */
  run(host: CheckHost): CheckAnswer | Promise<CheckAnswer>;
}
