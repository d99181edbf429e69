import { HostError } from "../ffi/host_error.ts";
import { CheckSkip } from "./check_answer.ts";

/**
 * Asks another process, where one can be started.
 *
 * @param ask Asks it.
 * @returns What it answered.
 * @throws {CheckSkip} Where Deno may not start a process.
 */
export function skipsWithoutProcess<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof HostError) throw new CheckSkip(error.message);
    throw error;
  }
}
