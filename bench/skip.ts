import { HostError } from "../ffi/host_error.ts";

/** A measurement cannot be made here: the message says why. */
export class Skip extends Error {
  /**
   * A measurement that is left out.
   *
   * @param why What is missing.
   */
  constructor(why: string) {
    super(why);
    this.name = "Skip";
  }
}

/**
 * Makes measurements that belong together, or says that they are skipped and why. Only what a host
 * lacks is a reason: any other failure is one of the program, and passes.
 *
 * @param what What is measured.
 * @param measure Measures and prints.
 */
export async function orSkip(what: string, measure: () => void | Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    if (!(error instanceof Skip || error instanceof HostError)) throw error;
    console.log(`${what}: skipped: ${error.message}`);
  }
}
