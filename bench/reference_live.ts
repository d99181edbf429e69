import { KVM_EXIT_HLT, KVM_EXIT_IO } from "../ffi/kvm_constants.ts";
import type { Errand, Guest } from "../guest/guest.ts";
import { registersStruct } from "../kvm/vcpu.ts";
import {
  type MachineSetup,
  type ReferenceLibrary,
  referenceProblem,
  sregsPatch,
} from "./reference_library.ts";

/** What a vCPU of a live run is to do: walk its block of the list until its stores are made. */
export interface LiveQuest {
  /** Its first pass over its block; the counter goes on from pass to pass. */
  readonly pass: Errand;
  /** Stores in all. */
  readonly stores: number;
}

/** What a live run of the reference is to be. */
export interface LiveSetup extends MachineSetup {
  /** The guest program. */
  readonly guest: Guest;
  /** A quest for each vCPU. */
  readonly quests: readonly LiveQuest[];
  /** From the end of a harvest of all rings to the next. */
  readonly intervalMs: number;
  /** The longest that it may take. */
  readonly timeoutMs: number;
}

/** What a live run of the reference was: `struct live_result` of reference_live.c. */
export interface LiveReferenceResult {
  /** Nanoseconds from letting the vCPUs run until all had made their stores. */
  readonly runNs: number;
  /** Stores made, over all vCPUs. */
  readonly stores: number;
  /** Entries harvested. */
  readonly entries: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
  /** Nanoseconds from such an exit until just before the next `KVM_RUN`: 0 where there was none. */
  readonly fullStop: { readonly p50Ns: number; readonly p99Ns: number; readonly maxNs: number };
  /** Nanoseconds in harvesting. */
  readonly harvestNs: number;
  /** Nanoseconds in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
  /** Nanoseconds in reading the harvested pages. */
  readonly readNs: number;
  /** Pages that hold a store which no entry announced. */
  readonly lost: number;
}

const RESULT_WORDS = 12;

/**
 * Makes a VM and runs it live, in C. Its threads live within this call, which blocks.
 *
 * @param library The loaded library.
 * @param setup What it is to be.
 * @returns Its figures.
 * @throws {Error} Where a call failed, counts differ, or it took too long.
 */
export function referenceLive(library: ReferenceLibrary, setup: LiveSetup): LiveReferenceResult {
  const { ringBytes, slot0, loggedBytes, guest, quests } = setup;
  const end = guest.exit === "KVM_EXIT_HLT" ? KVM_EXIT_HLT : KVM_EXIT_IO;
  const [interval, timeout] = [setup.intervalMs * 1e6, setup.timeoutMs * 1e6];
  const fields = [ringBytes, slot0.length, loggedBytes, quests.length, end, interval, timeout];
  const result = new BigUint64Array(RESULT_WORDS);
  // SAFETY: seven words are all of `struct live_setup`, whose second says how many bytes `slot0` has
  // and whose fourth how many quests there are; the patch is a whole `struct sregs_patch` and the
  // result a whole `struct live_result`. C keeps no pointer after the call.
  const answer = library.symbols.reference_live(
    BigUint64Array.from(fields, BigInt),
    slot0,
    sregsPatch(guest),
    questBytes(guest, quests),
    result,
  );
  if (answer !== 0) throw referenceProblem(library);
  const at = (n: number) => Number(result[n]!);
  return {
    runNs: at(0),
    stores: at(1),
    entries: at(2),
    fullExits: at(3),
    resets: at(4),
    fullStop: { p50Ns: at(5), p99Ns: at(6), maxNs: at(7) },
    harvestNs: at(8),
    resetNs: at(9),
    readNs: at(10),
    lost: at(11),
  };
}

// `struct quest` of reference_live.h, one after another.
function questBytes(guest: Guest, quests: readonly LiveQuest[]): Uint8Array<ArrayBuffer> {
  const parts = quests.map(({ pass, stores }) => {
    const registers = registersStruct(guest.begin(pass));
    const quest = new Uint8Array(registers.length + BigUint64Array.BYTES_PER_ELEMENT);
    quest.set(registers);
    new DataView(quest.buffer).setBigUint64(registers.length, BigInt(stores), true);
    return quest;
  });
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.forEach((part, n) => all.set(part, n * part.length));
  return all;
}
