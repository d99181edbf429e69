import { HostError } from "../ffi/host_error.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import type { CheckRun } from "./check_result.ts";
import type { ChildLine } from "./child_line.ts";
import type { Pace } from "./pace.ts";

/** What is asked for in place of a check's id: how fast this host is. */
export const PACE = "pace";

/** A child's side: what it is asked, what it answers, and how it finds out. */
export interface Service {
  /** The ids that it is asked for, a line each, or {@linkcode PACE}; their end is the child's. */
  readonly ids: AsyncIterable<string>;
  /** Writes a line for the parent, at once. */
  write(line: string): void;
  /**
   * Measures the host.
   *
   * @throws {HostError} Where the host cannot be used at all.
   */
  pace(): Promise<Pace>;
  /**
   * Makes a check.
   *
   * @throws {HostError} Where the host cannot be used at all.
   * @throws {KernelError} Where no file descriptor is left.
   */
  run(id: string): Promise<CheckRun>;
}

/**
 * Makes checks for a parent, one at a time, as it asks for them. Whoever asks has nothing to fear of
 * them: a check that ends this process ends itself alone.
 *
 * @param service What is asked, and how it is answered.
 */
export async function serveChecks(service: Service): Promise<void> {
  const write = (line: ChildLine) => service.write(`${JSON.stringify(line)}\n`);
  write({ kind: "ready" });
  for await (const id of service.ids) {
    try {
      if (id === PACE) write({ kind: "pace", pace: await service.pace() });
      else write({ kind: "run", id, run: await service.run(id) });
    } catch (error) {
      if (id === PACE && !(error instanceof HostError)) {
        // A kernel that cannot be measured is for the checks to tell of.
        write({ kind: "pace", pace: null });
        continue;
      }
      if (error instanceof KernelError) {
        write({ kind: "exhausted", call: error.call, errno: error.errno });
        return;
      }
      if (!(error instanceof HostError)) throw error;
      write({ kind: "unusable", what: error.what, advice: error.advice });
      return;
    }
  }
}
