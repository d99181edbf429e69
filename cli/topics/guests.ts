// The topic of guests. A test holds the rows against what `--guest` takes.
import type { Topic } from "./topic.ts";

/** The guests, each with what it is. */
export const GUEST_ROWS: readonly (readonly [guest: string, what: string])[] = [
  ["real16", "real mode with 32-bit addresses, up to 4 GiB, ended by HLT; a KVM may emulate it"],
  [
    "long64",
    "long mode at CPL 3 with 36-bit addresses, up to 64 GiB, ended by OUT; native everywhere",
  ],
];

/** `dirtyring help guests` */
export const guests: Topic = {
  parts: [
    "--guest is the tiny program in the virtual machine. All that it does is to store to the pages of the " +
    "pattern, each time a value that was never there before, and to stop.",
    { rows: GUEST_ROWS },
    "Processors run both as they are: a page is in the ring once until its reset, however often it is " +
    "stored to. A KVM that emulates real mode pushes an entry for each store of real16.",
    "Where a store faults, KVM pushes before the store is made. At a full ring the last entry's data is " +
    "therefore not written yet; after the reset that store faults again, and its page appears once more.",
  ],
};
