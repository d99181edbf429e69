import type { Random } from "../../guest/pattern.ts";
import type { Site } from "./site.ts";

/** A hostile input, and the command line that reads it. */
export interface HostileCase {
  /** The command line. */
  readonly args: readonly string[];
  /** Paths in the case's folder that the command may write. It must not change anything else. */
  readonly writes?: readonly string[];
  /** The exit status, if only one is right. */
  readonly status?: number;
  /**
   * Runs in place of the command line, to reach code that no command line reaches without a kernel.
   * Answers the exit status, or throws as a command would.
   */
  call?(): Promise<number>;
}

/** A format that the tool reads, with a generator of hostile cases. */
export interface Format {
  /** Its name for `--format` of `deno task hostile`. */
  readonly name: string;
  /** Its weight: cases are made in proportion to it. */
  readonly share: number;
  /** The number of its cases, if that is fixed. */
  readonly count?: number;
  /**
   * Makes material that all of its cases share.
   *
   * @param folder An empty folder that outlives the cases.
   */
  prepare?(folder: string): Promise<void>;
  /**
   * Makes a case. The same arguments give the same case, whatever came before it.
   *
   * @param random The only source of randomness.
   * @param site The folder for its files.
   * @param number The number of the case, from 0.
   */
  make(random: Random, site: Site, number: number): Promise<HostileCase>;
}
