// A kernel that runs fuzz programs, and the choice of the model that matches a real kernel.
import type { ModelVersion } from "../../ffi/insight.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { MADV_NOHUGEPAGE, PAGE_SIZE } from "../../ffi/linux.ts";
import { long64 } from "../../guest/long64.ts";
import type { ModelChoice } from "../../host/backend.ts";
import {
  type KernelFacts,
  kernelFacts,
  kernelRelease,
  kvmModule,
  pageModificationLogging,
} from "../../host/facts.ts";
import { Mapping } from "../../kvm/mapping.ts";
import { largestRing, smallestRing, System } from "../../kvm/system.ts";
import { releaseNumber } from "../../ring/coalesce.ts";
import { PAGE_WORDS } from "../../ring/entry.ts";
import { HOST_PAGES, MOST_STORES, MOST_VCPUS } from "./program.ts";

const LIST_BYTES = MOST_STORES * long64.listElement;

/**
 * A kernel that runs programs, and the guest memory that all of them share. It is made once because
 * populating the memory is slow.
 */
export class FuzzKernel implements Disposable {
  readonly #resources: DisposableStack;
  readonly #program: Mapping;
  readonly #host: Mapping;
  readonly #seen: Uint32Array<ArrayBuffer> = new Uint32Array(HOST_PAGES);
  /** `/dev/kvm`. */
  readonly system: System;
  /** Facts about the kernel. */
  readonly facts: KernelFacts;
  /** Bytes of the smallest ring that it accepts. */
  readonly smallestRing: number;
  /** Bytes of a vCPU's `kvm_run`. */
  readonly mmapSize: number;

  /**
   * Opens `/dev/kvm` and populates the guest's memory.
   *
   * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(kernel: Kernel) {
    using resources = new DisposableStack();
    this.system = resources.use(System.open(kernel));
    const largest = largestRing(this.system);
    this.facts = kernelFacts(kernel, largest);
    this.smallestRing = smallestRing(this.system, largest);
    this.mmapSize = this.system.vcpuMmapSize();
    const low = long64.listAt + MOST_VCPUS * LIST_BYTES;
    this.#program = resources.use(Mapping.anonymous(kernel, low, "guest code and lists"));
    this.#host = resources.use(Mapping.anonymous(kernel, HOST_PAGES * PAGE_SIZE, "guest memory"));
    // Populate all pages now: one that the host populates later would drop out of the guest's page
    // tables, and be pushed once more. Avoid huge pages for the same reason: when logging ends, KVM
    // drops small pages so that it can map a huge one instead. A kernel without huge pages refuses
    // the advice, and does not need it.
    for (const { address, bytes } of [this.#program, this.#host]) {
      kernel.madvise(address, bytes.length, MADV_NOHUGEPAGE);
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) bytes[at] = 0;
    }
    long64.place(this.#program.bytes);
    this.#resources = resources.move();
  }

  /** Where the guest's code and lists are in this process. In the guest they start at address 0. */
  get program(): { readonly address: number; readonly length: number } {
    return this.#program;
  }

  /** Address, in this process, of the memory behind all slots. */
  get hostAddress(): number {
    return this.#host.address;
  }

  /** Clears the words that guests store to. Called before each program. */
  clear(): void {
    const { words } = this.#host;
    for (let page = 0; page < HOST_PAGES; page++) words[page * PAGE_WORDS] = 0;
    this.#seen.fill(0);
  }

  /**
   * Writes a vCPU's list of addresses to store to.
   *
   * @param gfns The pages' guest frames.
   * @returns The guest address of the list.
   */
  writeList(vcpu: number, gfns: readonly number[]): number {
    const list = long64.listAt + vcpu * LIST_BYTES;
    const { words } = this.#program;
    gfns.forEach((gfn, n) => {
      const address = gfn * PAGE_SIZE;
      words[list / 4 + n * 2] = address; // its low 32 bits
      words[list / 4 + n * 2 + 1] = Math.floor(address / 2 ** 32);
    });
    return list;
  }

  /**
   * What guests have stored since the last call: the first word of each host page that changed.
   *
   * @returns Two numbers for each: page and value.
   */
  storedWords(): number[] {
    const stored: number[] = [];
    const { words } = this.#host;
    for (let page = 0; page < HOST_PAGES; page++) {
      const value = words[page * PAGE_WORDS]!;
      if (value === this.#seen[page]) continue;
      this.#seen[page] = value;
      stored.push(page, value);
    }
    return stored;
  }

  /** Closes `/dev/kvm` and unmaps the memory. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

/**
 * For each model version, the first kernel release that follows its rules; the newest first. The
 * rules of v6.12 already hold for v6.11.
 */
const RELEASES: readonly (readonly [number, ModelVersion])[] = [
  [6_017, "latest"],
  [6_014, "v6.14"],
  [6_011, "v6.12"],
  [6_010, "v6.10"],
  [6_001, "v6.1"],
];

/**
 * The model to compare a real kernel with: of the same version, and with PML if the processor has
 * it.
 */
export function modelLike(kernel: Kernel): ModelChoice {
  const release = releaseNumber(kernelRelease(kernel));
  const version = RELEASES.find(([first]) => release >= first)?.[1] ?? "v5.11";
  const pml = pageModificationLogging(kernel, kvmModule(kernel)) ?? false;
  // The guest of the fuzzer runs in long mode, which no KVM emulates.
  return { version, pml, emulator: false, text: pml ? `${version}+pml` : version };
}
