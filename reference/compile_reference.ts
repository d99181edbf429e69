// Compiles the C reference, and makes its VMs and harvest callable.
import type { Guest } from "../guest/guest.ts";
import { ENTRY_WORDS } from "../ring/entry.ts";
import { Skip } from "./pair.ts";
import {
  type LiveReferenceResult,
  type LiveSetup,
  loadReference,
  type MachineSetup,
  type ReferenceLibrary,
  referenceLive,
  referenceProblem,
  sregsPatch,
} from "./reference_library.ts";

const SOURCES = [
  "reference.c",
  "reference_vm.c",
  "reference_live.c",
  "reference_live_vcpu.c",
] as const;

/**
 * Compiles the C reference with the system's compiler.
 *
 * @param folder An existing folder for the library.
 * @returns The library's path.
 * @throws {Skip} If there is no compiler, or compilation fails, most often because headers are
 * missing.
 */
export async function compileReference(folder: string): Promise<string> {
  const library = `${folder}/reference.so`;
  const sources = SOURCES.map((name) => `${import.meta.dirname}/${name}`);
  const flags = [
    "-O2",
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
    "-pthread",
  ];
  const command = new Deno.Command("cc", { args: [...flags, "-o", library, ...sources] });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Skip("no C compiler (cc) on PATH");
    throw error;
  }
  if (output.success) return library;
  const line = new TextDecoder().decode(output.stderr).split("\n").find((text) =>
    text.includes("error")
  );
  throw new Skip(`cc cannot compile the reference: ${line ?? "no reason given"}`);
}

/**
 * The VM for rounds of the reference: `struct setup` of reference.c, in the order of its fields.
 */
export interface ReferenceSetup extends MachineSetup {
  /** The guest program. */
  readonly guest: Guest;
  /** Stores in a round. */
  readonly stores: number;
}

/** The figures of a round of the reference: `struct round` of reference.c. */
export interface ReferenceRound {
  /** Nanoseconds spent in `KVM_RUN`. */
  readonly guestNs: number;
  /** Nanoseconds spent harvesting. */
  readonly harvestNs: number;
  /** Nanoseconds spent in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
  /** Entries harvested. */
  readonly entries: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
}

/** The output arrays of the reference's harvest. */
export interface ReferenceOutput {
  /** A slot word for each entry. */
  readonly slots: Uint32Array<ArrayBuffer>;
  /** An offset for each entry. */
  readonly offsets: BigUint64Array<ArrayBuffer>;
}

/** The C library, loaded. */
export class Reference implements Disposable {
  readonly #library: ReferenceLibrary;

  /**
   * Loads the library.
   *
   * @param path Its path, as returned by `compileReference`.
   */
  constructor(path: string) {
    this.#library = loadReference(path);
  }

  /**
   * The harvest in C.
   *
   * @param ring The ring's memory: four words per entry; the number of entries is a power of two.
   * @param fetch The free-running index (u32) of the next entry.
   * @param into Receives the entries, from its beginning.
   * @returns The number of entries taken, limited by the ring's size and by the room in `into`.
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
   * @returns The VM. The caller owns it and disposes of it before the library.
   * @throws {Error} If the kernel refused a call.
   */
  openVm(setup: ReferenceSetup): ReferenceVm {
    return new ReferenceVm(this.#library, setup);
  }

  /**
   * Makes a VM and runs it live, in C: the vCPUs on threads of their own, and a harvester beside
   * them.
   *
   * @throws {Error} If a call failed, if counts differ, or if it took too long.
   */
  live(setup: LiveSetup): LiveReferenceResult {
    return referenceLive(this.#library, setup);
  }

  /** Unloads the library. */
  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/** A VM that C code makes and runs. */
export class ReferenceVm implements Disposable {
  readonly #library: ReferenceLibrary;
  #vm: Deno.PointerObject | null;
  readonly #round = new BigUint64Array(6);

  /**
   * Makes the VM.
   *
   * @throws {Error} If the kernel refused a call.
   */
  constructor(library: ReferenceLibrary, setup: ReferenceSetup) {
    this.#library = library;
    const { ringBytes, slot0, loggedBytes, guest, stores } = setup;
    const fields = [ringBytes, slot0.length, loggedBytes, guest.codeAt, guest.listAt, stores];
    // SAFETY: six words are all of `struct setup`, and the second says how many bytes `slot0` has;
    // the patch is a whole `struct sregs_patch`. C copies what it keeps; the VM that it answers is
    // this object's until reference_close().
    this.#vm = library.symbols.reference_open(
      BigUint64Array.from(fields, BigInt),
      slot0,
      sregsPatch(guest),
    );
    if (this.#vm === null) throw referenceProblem(library);
  }

  /**
   * Runs a round: run, harvest, reset, until all stores are made.
   *
   * @throws {Error} If a call failed, or counts differ.
   */
  round(): ReferenceRound {
    if (this.#vm === null) throw new TypeError("Cannot use a VM that is closed");
    // SAFETY: the VM is open, checked above; six words of this object's are all of `struct round`.
    const answer = this.#library.symbols.reference_round(this.#vm, this.#round);
    if (answer !== 0) throw referenceProblem(this.#library);
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

  /** Releases the VM's file descriptors and mappings. A second call does nothing. */
  [Symbol.dispose](): void {
    // SAFETY: once for each VM, and nothing uses it afterwards; C ignores NULL.
    this.#library.symbols.reference_close(this.#vm);
    this.#vm = null;
  }
}
