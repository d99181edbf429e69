// How a result is to be written: the sheet of paper, so to speak, that a formatter writes on.
import type { Provenance } from "../host/provenance.ts";

/** Colours a text by what it means. Without colour each function returns the text as it is. */
export interface Ink {
  /** Something that holds. */
  good(text: string): string;
  /** Something that does not hold: a failure, a lost page. */
  bad(text: string): string;
  /** Something to look at: a skip, a known defect, a full ring. */
  warn(text: string): string;
  /** A heading, or what a line is about. */
  bold(text: string): string;
  /** What is there for completeness. */
  dim(text: string): string;
  /** A bar or a gauge. */
  bar(text: string): string;
}

const plain = (text: string): string => text;

/** The ink of files, pipes and whoever wants no colour. */
export const PLAIN: Ink = {
  good: plain,
  bad: plain,
  warn: plain,
  bold: plain,
  dim: plain,
  bar: plain,
};

/** How a result is to be written. */
export interface Page {
  /** The width of the terminal; `null` if the output is not a terminal. */
  readonly columns: number | null;
  /** The colours. */
  readonly ink: Ink;
  /**
   * Whether measured times are shown. On the model they are not unless asked for: they say nothing
   * about a kernel.
   */
  readonly times: boolean;
  /**
   * Whether times by the clock of a run are shown. The model's clock counts instructions, so that
   * they are the same each time: they are left out only where no time is wanted at all.
   */
  readonly clock: boolean;
  /** Whether the head is shown: the kernel and the lab. */
  readonly header: boolean;
  /** Whether only what failed is shown, and the end. */
  readonly onlyFailures: boolean;
  /** Whether only failures and the verdict are shown. */
  readonly quiet: boolean;
  /** The command line, for texts that say how to see something again. */
  readonly commandLine: readonly string[];
  /** Where the result comes from, for JSON; `null` if it is not wanted. */
  readonly provenance: Provenance | null;
}

/** A page without a terminal, colour or provenance, with everything on it. */
export const PLAIN_PAGE: Page = {
  columns: null,
  ink: PLAIN,
  times: true,
  clock: true,
  header: true,
  onlyFailures: false,
  quiet: false,
  commandLine: ["dirtyring"],
  provenance: null,
};
