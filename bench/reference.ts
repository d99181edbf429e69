// The C reference as TypeScript calls it. It is no part of the program, and so it does not go
// through ffi/, which knows libc alone.

// The C prototype stands beside each entry.
const SYMBOLS = {
  // uint32_t reference_harvest(struct kvm_dirty_gfn *ring, uint32_t entries, uint32_t fetch,
  //                            uint32_t limit, uint32_t *slots, uint64_t *offsets);
  reference_harvest: {
    parameters: ["buffer", "u32", "u32", "u32", "buffer", "buffer"],
    result: "u32",
  },
  // struct vm *reference_open(const struct setup *setup, const uint8_t *slot0);
  reference_open: { parameters: ["buffer", "buffer"], result: "pointer" },
  // int reference_round(struct vm *vm, struct round *round);
  reference_round: { parameters: ["pointer", "buffer"], result: "i32" },
  // void reference_close(struct vm *vm);
  reference_close: { parameters: ["pointer"], result: "void" },
  // const char *reference_problem(void);
  reference_problem: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

const ENTRY_WORDS = 4;

/** What a VM of the reference is to be: `struct setup` of reference.h, in its order. */
export interface ReferenceSetup {
  /** Ring size in bytes. */
  readonly ringBytes: number;
  /** All of slot 0: the guest's code and its access list. */
  readonly slot0: Uint8Array<ArrayBuffer>;
  /** Bytes of logged memory. */
  readonly loggedBytes: number;
  /** Guest physical address of the code. */
  readonly codeAt: number;
  /** Guest physical address of the access list. */
  readonly listAt: number;
  /** Stores in a round. */
  readonly stores: number;
}

/** What a round of the reference was: `struct round` of reference.h. */
export interface ReferenceRound {
  /** Nanoseconds in `KVM_RUN`. */
  readonly guestNs: number;
  /** Nanoseconds in harvesting. */
  readonly harvestNs: number;
  /** Nanoseconds in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
  /** Entries harvested. */
  readonly entries: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
}

/** Where the reference's harvest puts what it takes. */
export interface ReferenceOutput {
  /** A slot word for each entry. */
  readonly slots: Uint32Array<ArrayBuffer>;
  /** An offset for each entry. */
  readonly offsets: BigUint64Array<ArrayBuffer>;
}

/** The C library, loaded. */
export class Reference implements Disposable {
  readonly #library: Library;

  /**
   * Loads the library.
   *
   * @param path Its path, as `compileReference` answered it.
   */
  constructor(path: string) {
    // SAFETY: the library is our own, compiled from the prototypes above; closed with this object.
    this.#library = Deno.dlopen(path, SYMBOLS);
  }

  /**
   * The harvest in C.
   *
   * @param ring The ring's memory: four words an entry, a power of two of entries.
   * @param fetch The free-running index of the next entry.
   * @param into Where the entries go, from its beginning.
   * @returns Entries taken: at most the ring's size, and as many as there is room for.
   */
  harvest(ring: Uint32Array<ArrayBuffer>, fetch: number, into: ReferenceOutput): number {
    const { slots, offsets } = into;
    const entries = ring.length / ENTRY_WORDS;
    const limit = Math.min(entries, slots.length, offsets.length);
    // SAFETY: C touches `entries` entries of `ring` and `limit` elements of each output, which are
    // no more than they have; all three are the caller's, and C keeps no pointer after the call.
    return this.#library.symbols.reference_harvest(ring, entries, fetch, limit, slots, offsets);
  }

  /**
   * Makes a VM, in C.
   *
   * @param setup What it is to be.
   * @returns The VM, for its caller to dispose before the library.
   * @throws {Error} Where the kernel refused a call.
   */
  openVm(setup: ReferenceSetup): ReferenceVm {
    return new ReferenceVm(this.#library, setup);
  }

  /** Unloads the library. */
  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/** A VM that C made and runs. */
export class ReferenceVm implements Disposable {
  readonly #library: Library;
  #vm: Deno.PointerObject | null;
  readonly #round = new BigUint64Array(6);

  /**
   * Makes the VM.
   *
   * @param library The loaded library.
   * @param setup What the VM is to be.
   * @throws {Error} Where the kernel refused a call.
   */
  constructor(library: Library, setup: ReferenceSetup) {
    this.#library = library;
    const { ringBytes, slot0, loggedBytes, codeAt, listAt, stores } = setup;
    const fields = [ringBytes, slot0.length, loggedBytes, codeAt, listAt, stores];
    // SAFETY: six words are all of `struct setup`, and the second says how many bytes `slot0` has.
    // C copies both; the VM that it answers is this object's until reference_close().
    this.#vm = library.symbols.reference_open(BigUint64Array.from(fields, BigInt), slot0);
    if (this.#vm === null) throw this.#problem();
  }

  /**
   * Runs a round: run, harvest, reset, until all stores are made.
   *
   * @returns Its figures.
   * @throws {Error} Where a call failed, or counts differ.
   */
  round(): ReferenceRound {
    if (this.#vm === null) throw new TypeError("Cannot use a VM that is closed");
    // SAFETY: the VM is open, checked above; six words of this object's are all of `struct round`.
    const answer = this.#library.symbols.reference_round(this.#vm, this.#round);
    if (answer !== 0) throw this.#problem();
    const at = (n: number) => Number(this.#round[n]!);
    return {
      guestNs: at(0),
      harvestNs: at(1),
      resetNs: at(2),
      entries: at(3),
      fullExits: at(4),
      resets: at(5),
    };
  }

  #problem(): Error {
    const text = this.#library.symbols.reference_problem();
    // SAFETY: a string of the library's own that ends in NUL; it lives until the library is closed.
    return new Error(`C: ${text === null ? "" : Deno.UnsafePointerView.getCString(text)}`);
  }

  /** Gives the VM's file descriptors and mappings back. Doing so twice does nothing. */
  [Symbol.dispose](): void {
    // SAFETY: once for each VM, and nothing uses it afterwards; C ignores NULL.
    this.#library.symbols.reference_close(this.#vm);
    this.#vm = null;
  }
}
