import type { Random } from "../../guest/pattern.ts";
import type { Site } from "./site.ts";

/** A hostile input, and the command line that reads it. */
export interface HostileCase {
  /** The command line. */
  readonly args: readonly string[];
  /** What the command may make in the case's folder; all else is to be left as it is. */
  readonly writes?: readonly string[];
  /** The exit status that it must have, where one alone is right. */
  readonly status?: number;
  /**
   * Done in place of the command line, where no command line leads there without a kernel: answers the exit status, or
   * throws what a command would.
   */
  call?(): Promise<number>;
}

/** A format that the tool reads, and what makes hostile files of it. */
export interface Format {
  /** Its name, as `--format` of `deno task hostile` has it. */
  readonly name: string;
  /** Its part of all cases: the more of them, the more often it has its turn. */
  readonly share: number;
  /** How many cases there are, where they are counted. */
  readonly count?: number;
  /**
   * Makes what all of its cases are made of.
   *
   * @param folder An empty folder that outlives the cases.
   */
  prepare?(folder: string): Promise<void>;
  /**
   * Makes a case. The same numbers give the same case, whatever came before it.
   *
   * @param random The only source of chance.
   * @param site Where its files go.
   * @param number Which of the cases.
   */
  make(random: Random, site: Site, number: number): Promise<HostileCase>;
}
