// The topic of backends and models. A test holds the rows against what `--backend` and `--model` take.
import type { Topic } from "./topic.ts";

/** The backends, each with what it is. */
export const BACKEND_ROWS: readonly (readonly [backend: string, what: string])[] = [
  ["kvm", "a real /dev/kvm: the default, so that no run without KVM succeeds by accident"],
  [
    "model",
    "a /dev/kvm in memory, made from the kernel's rules: no KVM, no permission, any platform",
  ],
  ["auto", "the real one where it is usable, otherwise the model, which is then said on stderr"],
];

/** The models' versions, each with the rules that it has. */
export const MODEL_ROWS: readonly (readonly [version: string, rules: string])[] = [
  [
    "v5.11",
    "the first release with the ring: a reset begins with an empty call, signals are not looked at",
  ],
  ["v6.1", "acquire/release capability; a write outside a running vCPU is dropped with a warning"],
  [
    "v6.10",
    "an empty call of a reset returns at once; a full ring is looked for by request; guest_memfd",
  ],
  ["v6.12", "memory can be pre-faulted"],
  [
    "v6.14",
    "a PML buffer is read in the order of the writes; a page mapped where a device was is dirty at once",
  ],
  [
    "v6.17",
    "calls are batches, a signal ends a reset early, one reset takes INT_MAX entries at most",
  ],
  ["latest", "v6.18 with what stable kernels of 2026 took in: the default"],
];

/** What may follow a version. */
export const TRAIT_ROWS: readonly (readonly [trait: string, meaning: string])[] = [
  [
    "+pml",
    "a processor with page-modification logging: 576 reserved entries, entries appear at exits",
  ],
  ["+emulator", "a host that emulates real mode: each store of a real-mode guest pushes"],
];

/** `dirtyring help backends` */
export const backends: Topic = {
  parts: [
    "--backend says which kernel answers.",
    { rows: BACKEND_ROWS },
    "--model VERSION[+pml][+emulator] chooses the rules of the model:",
    { rows: [...MODEL_ROWS, ...TRAIT_ROWS] },
    "Every command but fuzz, which holds a kernel against the model, runs on both. Times on the model " +
    "are its own and say nothing about a kernel.",
  ],
};
