// The topic of access patterns. A test holds the rows against what `--pattern` takes.
import type { Topic } from "./topic.ts";

/** The patterns, each with the pages that it names. */
export const PATTERN_ROWS: readonly (readonly [pattern: string, pages: string])[] = [
  ["sequential", "0, 1, 2 and so on"],
  ["reverse", "the same pages from the last to the first"],
  ["stride:N", "0, N, 2N and so on"],
  ["random", "a random permutation of all logged pages, chosen by --seed"],
  ["window:N", "sequential, but shuffled inside blocks of N pages"],
  ["zigzag", "from the middle of memory outwards, in turn above and below it"],
  ["pingpong", "in turn from the first and the last slot; with one slot, from its halves"],
  ["hot:N", "the first N pages, again and again"],
  [
    "file:PATH",
    "one page number a line, decimal or 0x, counted from 0 over all logged slots; file:- is standard input",
  ],
];

/** `dirtyring help patterns` */
export const patterns: Topic = {
  parts: [
    "--pattern is the order in which the guest stores to pages. A reset gathers neighbouring pages " +
    "into batches of up to 64, so that the order decides what it costs.",
    { title: "pattern and its pages, in order", rows: PATTERN_ROWS },
    "--pages is the number of stores in a round. Page numbers wrap at the end of the logged memory. The " +
    "sequence is made once and is the same in each round; each vCPU gets a contiguous part of it.",
  ],
};
