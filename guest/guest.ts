import type { Register } from "../ffi/kvm_structs.ts";

/** What one vCPU does in one round. */
export interface Errand {
  /** Guest physical address of its first list element. */
  readonly list: number;
  /** Stores to make: one for each list element. */
  readonly stores: number;
  /** The value of its first store. */
  readonly value: number;
  /** What is added to the value after each store. */
  readonly step: number;
}

/** A guest program: it walks a list of addresses, stores a growing value at each, and stops. */
export interface Guest {
  /** Its name. */
  readonly name: "real16";
  /** Its machine code. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Guest physical address at which the code must lie. */
  readonly codeAt: number;
  /** The first guest physical address that it cannot reach. */
  readonly addressLimit: number;
  /** Makes a fresh vCPU's `struct kvm_sregs` fit the program, in place. */
  prepare(sregs: DataView<ArrayBuffer>): void;
  /** The general registers to begin an errand with. */
  begin(errand: Errand): Readonly<Partial<Record<Register, bigint>>>;
  /**
   * The stores still to be made, wherever the program was stopped.
   *
   * @param register Reads a general register.
   * @returns Stores; 0 once all are made.
   */
  remaining(register: (name: Register) => bigint): number;
}
