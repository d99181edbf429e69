// The glossary: `dirtyring help glossary` prints it, and docs/glossary.md holds the same sentences, as a
// test keeps.
import type { Topic } from "./topic.ts";

/** A word, and what it means in a sentence or two. */
export type Term = readonly [word: string, meaning: string];

/** Words that belong together, each explained by those before it. */
export interface TermGroup {
  /** What they are about. */
  readonly title: string;
  /** The words, in the order in which they build on each other. */
  readonly terms: readonly Term[];
}

/** All words, one for each thing. */
export const GLOSSARY: readonly TermGroup[] = [
  {
    title: "Memory",
    terms: [
      [
        "VMM",
        "The program that makes a virtual machine and runs it through /dev/kvm: QEMU, " +
        'Firecracker, this tool. It is what "userspace" means here.',
      ],
      [
        "vCPU",
        "A processor of a virtual machine. A VMM runs it with KVM_RUN, which returns " +
        "when there is something to do: that is an exit.",
      ],
      [
        "page",
        "4096 bytes of guest memory, the unit in which KVM tracks stores, also where " +
        "the host backs the guest with larger ones.",
      ],
      [
        "gfn",
        "Guest frame number: a page's address in the guest's physical memory, divided " +
        "by 4096.",
      ],
      [
        "slot",
        "A range of guest memory that the VMM gave to KVM, with an id. In an entry " +
        "the slot also names the address space, in its upper 16 bits.",
      ],
      [
        "offset",
        "A page's number within its slot, counted from the slot's first page. The " +
        "slot's first gfn plus the offset is the page's gfn.",
      ],
      [
        "dirty page",
        "A page that the guest stored to since the VMM last asked for it. Who copies " +
        "a running guest must copy it again.",
      ],
      [
        "dirty logging",
        "KVM's noting of dirty pages. It is switched on for each slot " +
        "(KVM_MEM_LOG_DIRTY_PAGES); a slot without it is never logged.",
      ],
      [
        "write protection",
        "The mark in a page table that makes a store to a page fault. The fault is " +
        "how KVM learns of the first store; it then lets the page be written, and " +
        "later stores cost nothing and tell nothing.",
      ],
      [
        "PML",
        "Page-modification logging: an Intel processor notes the pages itself, in a " +
        "buffer of 512, instead of faulting. KVM moves the buffer into the ring when " +
        "the vCPU exits.",
      ],
      [
        "bitmap",
        "The older way to log: one bit for each page of a slot, set by KVM. To find a " +
        "few dirty pages the VMM reads the bits of the whole guest.",
      ],
    ],
  },
  {
    title: "The ring",
    terms: [
      [
        "dirty ring",
        "A list of dirty pages, one ring for each vCPU, in memory that KVM and the " +
        "VMM share. KVM writes entries at one end, the VMM reads them at the other; " +
        "its cost goes by the dirty pages, not by the size of the guest.",
      ],
      [
        "entry",
        "16 bytes of a ring that name one page: flags, slot, offset. The flags say " +
        "dirty (KVM wrote it), harvested (the VMM read it) or neither (free).",
      ],
      [
        "push",
        "What KVM does when a page becomes dirty: it writes an entry into the ring of " +
        "the vCPU that stored to it.",
      ],
      [
        "dirty index",
        "Where KVM pushes next. It only grows, and it is not in the memory that is " +
        "shared: the VMM keeps an index of its own.",
      ],
      [
        "reset index",
        "Where the next reset begins. The entries between it and the dirty index are " +
        "in use.",
      ],
      [
        "soft limit",
        "The number of entries in use from which a ring counts as full. It is the " +
        "ring's size less the reserve.",
      ],
      [
        "reserve",
        "The last entries of a ring, kept free for what KVM must still push before it " +
        "can stop the vCPU: 64, with PML 576.",
      ],
      [
        "full exit",
        "The end of KVM_RUN at a full ring (KVM_EXIT_DIRTY_RING_FULL). The vCPU goes " +
        "on only after a reset; the others run meanwhile.",
      ],
      [
        "overflow",
        "A push into a ring that has no free entry left. It writes over the oldest " +
        "entry, and that page is lost.",
      ],
      [
        "duplicate",
        "An entry for a page that is already in the ring. It is legal, and resets " +
        "like any other.",
      ],
    ],
  },
  {
    title: "What the VMM does",
    terms: [
      [
        "harvest",
        "To take entries out of a ring: the VMM copies each in order and marks it as " +
        "harvested. Nothing is free yet; that takes a reset.",
      ],
      [
        "gap",
        "An entry that was not harvested, before others that were. A reset stops " +
        "there.",
      ],
      [
        "kick",
        "To make a vCPU exit from outside, with a signal. With PML only an exit " +
        "brings all entries into the ring.",
      ],
      [
        "reset",
        "The call KVM_RESET_DIRTY_RINGS: KVM walks each ring's harvested entries up " +
        "to the first that is not, frees them and re-protects their pages. It returns " +
        "their number.",
      ],
      [
        "re-protect",
        "To make the next store to a page tell KVM again, by write protection, or " +
        "with PML by clearing the dirty bit of its mapping. A reset re-protects " +
        "pages, and so do KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG for a bitmap.",
      ],
      [
        "read after reset",
        "The order that loses nothing: harvest, reset, and only then read the page. A " +
        "store between a read and the reset would be seen by neither.",
      ],
      [
        "lost page",
        "A page whose store no entry announced. A copy of the guest would be wrong " +
        "there: it is the failure that this tool looks for.",
      ],
    ],
  },
  {
    title: "Inside a reset",
    terms: [
      [
        "coalescing",
        "Gathering neighbouring pages so that they are re-protected together. It " +
        "depends on the order of the entries.",
      ],
      [
        "batch",
        "The pages that a reset re-protects at once: up to 64 of one slot, near each " +
        "other. Each batch is one call of kvm_reset_dirty_gfn.",
      ],
      ["base", "The offset of a batch's lowest page."],
      [
        "mask",
        "The 64 bits that say which of the 64 pages from the base on are in the " +
        "batch. An entry whose bit does not fit begins the next batch.",
      ],
      [
        "window",
        "The entries of one ring that one reset takes. No batch reaches from one " +
        "window into another. (The pattern window:N means something else: blocks of N " +
        "pages, each shuffled.)",
      ],
      [
        "TLB flush",
        "Throwing away translations that processors keep. A reset asks for one, so " +
        "that a running vCPU cannot store through a stale one.",
      ],
    ],
  },
  {
    title: "This tool",
    terms: [
      [
        "store",
        "One write of a tiny guest to one page. Each writes a value that was never " +
        "there before, so that memory itself proves what was seen.",
      ],
      [
        "pattern",
        "The order in which the guest stores to pages: sequential, random, every 8th " +
        "and so on.",
      ],
      [
        "seed",
        "The number that random choices are made from. The same seed gives the same " +
        "choices.",
      ],
      [
        "round",
        "The pattern once, from the first store to the last reset. In the commands " +
        "live and checkpoint, where vCPUs repeat their stores without a stop, once " +
        "through them is a pass.",
      ],
      [
        "epoch",
        "In the command checkpoint: the vCPUs run, pause, and what became dirty is " +
        "harvested, reset and copied.",
      ],
      [
        "replica",
        "The copy of guest memory that the command checkpoint keeps, page by page, " +
        "and compares with the guest in the end.",
      ],
      [
        "witness",
        "Something that saw the stores without the ring, and so can tell when the " +
        "ring missed one: memory itself, or KVM's tracepoints.",
      ],
      [
        "without news",
        "Said of a page that was harvested with nothing new in it. That is no " +
        "failure: KVM may push before the store is made.",
      ],
      [
        "statement",
        "One promise of the kernel about the ring, with an id such as reset.count. " +
        "The command check asks a kernel each of them.",
      ],
      [
        "known",
        "The answer of a check that met a documented defect of the kernel. It counts " +
        "as failed with --strict alone.",
      ],
      [
        "model",
        "A /dev/kvm in memory, made from the kernel's rules. It answers where there " +
        "is no KVM; its times say nothing about a kernel.",
      ],
      [
        "modelled",
        "Said of a number that the kernel does not tell and that is computed by its " +
        "rule, such as the number of batches.",
      ],
      [
        "lab",
        "What a virtual machine of this tool was asked to be: guest, vCPUs, memory, " +
        "slots, ring, pattern.",
      ],
    ],
  },
];

/** `dirtyring help glossary` */
export const glossary: Topic = {
  parts: [
    "One word for one thing, in the order in which they build on each other.",
    ...GLOSSARY.map(({ title, terms }) => ({ title, rows: terms })),
  ],
};
