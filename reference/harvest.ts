// Compares the harvest of a full ring with the same in C.
import { checked } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { nanosecondsSince } from "../ffi/linux.ts";
import { Mapping } from "../kvm/mapping.ts";
import { largestRing, System } from "../kvm/system.ts";
import { allocateEntries, DIRTY, type Entries, ENTRY_WORDS, OFFSET, SLOT } from "../ring/entry.ts";
import { harvest, type RingWords, ringWords } from "../ring/harvest.ts";
import type { Reference, ReferenceOutput } from "./compile_reference.ts";
import { Pair } from "./pair.ts";

/** The largest ring of every kernel so far: KVM_DIRTY_RING_MAX_ENTRIES. */
const ENTRIES = 65536;
const TURNS = 501;
/** More than V8 needs to compile the loop for good. */
const WARM_UPS = 200;
const TARGET = { most: 1.5, text: "target within 1.5" };

/** One ring, and the output of each side. */
interface Bench {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly ring: RingWords;
  readonly entries: Entries;
  readonly reference: Reference;
  readonly output: ReferenceOutput;
}

/**
 * Measures the harvest of a full ring in plain memory: TypeScript against C, on the same memory.
 *
 * @param kernel Maps the memory.
 * @param reference The harvest in C.
 */
export function benchHarvest(kernel: Kernel, reference: Reference): void {
  using memory = Mapping.anonymous(kernel, ENTRIES * kvm_dirty_gfn.size, "a made-up ring");
  measure(memory.words, reference, "made-up ring");
}

/**
 * Measures the same on a ring that KVM allocated. Its entries are made up, too: the vCPU never
 * runs, and the ring is never reset.
 *
 * @param reference The harvest in C.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 */
export function benchHarvestOfKvm(kernel: Kernel, reference: Reference): void {
  using system = System.open(kernel);
  const largest = largestRing(system);
  const bytes = Math.min(ENTRIES * kvm_dirty_gfn.size, largest);
  using vm = system.createVm();
  checked(vm.enableCap(KVM_CAP_DIRTY_LOG_RING, bytes), "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING)");
  using vcpu = vm.createVcpu(0, system.vcpuMmapSize());
  using ring = vcpu.mapDirtyRing(bytes);
  measure(ring.words, reference, "KVM's ring");
}

function measure(words: Uint32Array<ArrayBuffer>, reference: Reference, what: string): void {
  const size = words.length / ENTRY_WORDS;
  const bench = {
    words,
    ring: ringWords(words),
    entries: allocateEntries(size),
    reference,
    output: { slots: new Uint32Array(size), offsets: new BigUint64Array(size) },
  };
  for (let n = 0; n < size; n++) {
    words[n * ENTRY_WORDS + SLOT] = 1;
    words[n * ENTRY_WORDS + OFFSET] = n;
  }
  for (let n = 0; n < WARM_UPS; n++) compare(bench, 7 * n);
  const aligned = new Pair(`${what}, ${size} entries, fetch 0`, TARGET);
  const anywhere = new Pair(`${what}, ${size} entries, fetch 7·k`, TARGET);
  for (let turn = 0; turn < TURNS; turn++) {
    aligned.add(ours(bench, 0), theirs(bench, 0));
    anywhere.add(ours(bench, 7 * turn), theirs(bench, 7 * turn));
  }
  console.log(aligned.line());
  console.log(anywhere.line());
}

// Checks that both harvests of one full ring take the same entries.
function compare(bench: Bench, fetch: number): void {
  ours(bench, fetch);
  theirs(bench, fetch);
  const { words } = bench.entries;
  const { slots, offsets } = bench.output;
  for (let n = 0, at = 0; n < slots.length; n++, at += ENTRY_WORDS) {
    const offset = (fetch + n) % slots.length;
    if (slots[n] === words[at + SLOT] && words[at + OFFSET] === offset) {
      if (offsets[n] === BigInt(offset)) continue;
    }
    throw new Error(`the two harvests differ at entry ${n} from ${fetch}`);
  }
}

function ours(bench: Bench, fetch: number): number {
  const size = fill(bench.words);
  const started = performance.now();
  const taken = harvest(bench.ring, fetch, size, bench.entries);
  const ns = nanosecondsSince(started);
  if (taken !== size) throw new Error(`${taken} entries harvested of ${size}`);
  return ns;
}

function theirs(bench: Bench, fetch: number): number {
  const size = fill(bench.words);
  const started = performance.now();
  const taken = bench.reference.harvest(bench.words, fetch, bench.output);
  const ns = nanosecondsSince(started);
  if (taken !== size) throw new Error(`${taken} entries harvested of ${size}`);
  return ns;
}

// Makes every entry dirty again, as KVM does when it pushes. Returns the number of entries.
function fill(words: Uint32Array): number {
  for (let at = 0; at < words.length; at += ENTRY_WORDS) words[at] = DIRTY;
  return words.length / ENTRY_WORDS;
}
