// Fuzz programs: their operations, the ranges of all numbers, and the text form that `fuzz --file`
// reads.
import {
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
} from "../../ffi/kvm_constants.ts";
import { UsageError } from "../../host/errors.ts";
import { printable, quoted } from "../../text/printable.ts";

/**
 * An operation of a program. `do` names it; `vcpu` is an index into the program's vCPUs, in the
 * order in which they were made.
 */
export type FuzzOp =
  /**
   * `KVM_SET_USER_MEMORY_REGION`. A `skew` other than 0 misaligns a field: 1 the size, 2 the
   * guest's address, 3 the host's address.
   */
  | {
    readonly do: "slot";
    readonly slot: number;
    readonly gfn: number;
    readonly pages: number;
    readonly flags: number;
    readonly hostPage: number;
    readonly skew: number;
  }
  /** Starts a list of stores to pages, and runs the vCPU until it exits. */
  | { readonly do: "store"; readonly vcpu: number; readonly gfns: readonly number[] }
  /** Runs a vCPU that has stores left. */
  | { readonly do: "resume"; readonly vcpu: number }
  /** As `resume`, with `immediate_exit` set. */
  | { readonly do: "interrupted"; readonly vcpu: number }
  /** Harvests up to `count` entries in ring order. */
  | { readonly do: "harvest"; readonly vcpu: number; readonly count: number }
  /** Leaves a gap: moves the fetch index over up to `count` pushed entries. */
  | { readonly do: "skip"; readonly vcpu: number; readonly count: number }
  /** Harvests up to `count` entries that were skipped. */
  | { readonly do: "fill"; readonly vcpu: number; readonly count: number }
  /** Writes the flags of an entry; `at` counts from the next entry that a reset takes. */
  | { readonly do: "mark"; readonly vcpu: number; readonly at: number; readonly flags: number }
  /** Writes the slot and offset of an entry; `at` counts as for `mark`. */
  | {
    readonly do: "forge";
    readonly vcpu: number;
    readonly at: number;
    readonly slot: number;
    readonly offset: number;
  }
  /** `KVM_RESET_DIRTY_RINGS`, with an argument that the kernel ignores. */
  | { readonly do: "reset"; readonly argument: number }
  /** `KVM_ENABLE_CAP`. */
  | { readonly do: "enable"; readonly capability: number; readonly argument: number }
  /** `KVM_GET_DIRTY_LOG`, or `KVM_CLEAR_DIRTY_LOG` where `clear` is 1. */
  | { readonly do: "log"; readonly slot: number; readonly clear: number }
  /** `KVM_CREATE_VCPU`. */
  | { readonly do: "create"; readonly id: number }
  /** Closes a vCPU's file descriptor; where `unmap` is 1, also unmaps its ring. */
  | { readonly do: "close"; readonly vcpu: number; readonly unmap: number }
  /** Maps pages of a vCPU's file descriptor, and unmaps them at once. */
  | {
    readonly do: "map";
    readonly vcpu: number;
    readonly page: number;
    readonly pages: number;
    readonly protection: number;
    readonly flags: number;
  };

/** The name of an operation. */
export type FuzzOpName = FuzzOp["do"];

/** A program: how to make the VM, and what to do with it. */
export interface FuzzProgram {
  /** Bytes of each ring. */
  readonly ringBytes: number;
  /** The number of vCPUs at the start. */
  readonly vcpus: number;
  /** 1 where the slot with the guest's own code and lists is logged, too; otherwise 0. */
  readonly logProgram: number;
  /** The operations. */
  readonly ops: readonly FuzzOp[];
}

/** Pages of host memory behind all slots of a program. */
export const HOST_PAGES = 512;
/** The most vCPUs of a program, including those that it creates itself. */
export const MOST_VCPUS = 8;
/** The most stores of one operation. */
export const MOST_STORES = 1024;
/** The first guest frame that a program may store to. Below lie the guest's code and lists. */
export const PROGRAM_GFNS = 0x1000;
/** The smallest number of pages that KVM refuses for a slot. */
export const TOO_MANY_PAGES: number = 2 ** 31;
/** The largest offset that is forged, far from where a kernel's arithmetic wraps. */
const LARGEST_OFFSET = 2 ** 20;

/**
 * The capabilities that a program may enable. Any other could disable exits, and then no guest
 * would end.
 */
const ENABLED: readonly number[] = [
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
];

/** The smallest and the largest value of a number. */
export type FuzzRange = readonly [number, number];

/** The range of each number of an operation; for `gfns` that of its elements. */
export const FUZZ_RANGES: {
  readonly [Name in FuzzOpName]: Readonly<
    Record<Exclude<keyof Extract<FuzzOp, { do: Name }>, "do">, FuzzRange>
  >;
} = {
  slot: {
    slot: [0, 2 ** 32 - 1],
    gfn: [0, 2 ** 40],
    pages: [0, 2 ** 32],
    flags: [0, 2 ** 32 - 1],
    hostPage: [0, HOST_PAGES - 1],
    skew: [0, 3],
  },
  store: { vcpu: [0, MOST_VCPUS - 1], gfns: [PROGRAM_GFNS, 2 ** 24 - 1] },
  resume: { vcpu: [0, MOST_VCPUS - 1] },
  interrupted: { vcpu: [0, MOST_VCPUS - 1] },
  harvest: { vcpu: [0, MOST_VCPUS - 1], count: [0, 65536] },
  skip: { vcpu: [0, MOST_VCPUS - 1], count: [0, 65536] },
  fill: { vcpu: [0, MOST_VCPUS - 1], count: [0, 65536] },
  mark: { vcpu: [0, MOST_VCPUS - 1], at: [0, 65535], flags: [0, 3] },
  forge: {
    vcpu: [0, MOST_VCPUS - 1],
    at: [0, 65535],
    slot: [0, 2 ** 32 - 1],
    offset: [0, LARGEST_OFFSET],
  },
  reset: { argument: [0, 2 ** 32 - 1] },
  enable: { capability: [0, 2 ** 32 - 1], argument: [0, 2 ** 53 - 1] },
  log: { slot: [0, 2 ** 32 - 1], clear: [0, 1] },
  create: { id: [0, 2 ** 32 - 1] },
  close: { vcpu: [0, MOST_VCPUS - 1], unmap: [0, 1] },
  map: {
    vcpu: [0, MOST_VCPUS - 1],
    page: [0, 2 ** 20],
    pages: [1, 2 ** 10],
    protection: [0, 7],
    flags: [1, 2],
  },
};

/**
 * Why an operation must not reach a real kernel.
 *
 * @param op An operation whose numbers are in their ranges.
 * @returns The reason, or `null` where it is safe.
 */
export function unsafeReason(op: FuzzOp): string | null {
  switch (op.do) {
    case "slot":
      // A guest without its code and lists runs into unmapped memory, and may never exit.
      if (op.slot === 0) return "slot 0: the guest's own, with its code and its lists of pages";
      // A slot that the kernel accepts must lie within the program's host memory, or a guest could
      // write beyond it.
      return op.pages >= TOO_MANY_PAGES || op.hostPage + op.pages <= HOST_PAGES
        ? null
        : `hostPage + pages: more than the ${HOST_PAGES} pages behind all slots`;
    case "enable":
      if (!ENABLED.includes(op.capability)) {
        return `capability ${op.capability}: programs enable ${ENABLED.join(", ")} alone`;
      }
      // Pages that were mapped before logging began then go unlogged. Which ones depends on the
      // host.
      return op.capability === KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 && op.argument === 3
        ? "argument 3: which pages are logged then depends on the host"
        : null;
    default:
      return null;
  }
}

const HEAD: Readonly<Record<Exclude<keyof FuzzProgram, "ops">, FuzzRange>> = {
  ringBytes: [0, 2 ** 32 - 1],
  vcpus: [0, 4],
  logProgram: [0, 1],
};

/**
 * Parses a program in the form in which a mismatch is printed: JSON lines, first the head, then one
 * operation on each line. Operations that are unsafe on a real kernel are refused.
 *
 * @example
 * ```ts
 * import { parseProgram } from "./program.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = '{"ringBytes":4096,"vcpus":1,"logProgram":0}\n{"do":"reset","argument":0}\n';
 * assertEquals(parseProgram(text).ops, [{ do: "reset", argument: 0 }]);
 * ```
 *
 * @param text The lines. Empty lines and those that begin with # are skipped.
 * @throws {UsageError} Where a line is wrong; the error has its number.
 */
export function parseProgram(text: string): FuzzProgram {
  const lines = text.split("\n").map((line, n) => [line.trim(), n + 1] as const)
    .filter(([line]) => line !== "" && !line.startsWith("#"));
  const [first, ...rest] = lines;
  if (first === undefined) throw new UsageError("fuzz program: it has no line");
  const head = record(...first);
  checkFields(head, HEAD, first[1]);
  return {
    ringBytes: Number(head["ringBytes"]),
    vcpus: Number(head["vcpus"]),
    logProgram: Number(head["logProgram"]),
    ops: rest.map(([line, n]) => operation(record(line, n), n)),
  };
}

function wrong(line: number, what: string): UsageError {
  return new UsageError(`fuzz program, line ${line}: ${what}`);
}

function record(line: string, n: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong(n, "no JSON");
  }
  if (typeof value !== "object" || value === null) throw wrong(n, "no object");
  return { ...value };
}

function isName(name: unknown): name is FuzzOpName {
  return typeof name === "string" && Object.hasOwn(FUZZ_RANGES, name);
}

function operation({ do: name, ...fields }: Readonly<Record<string, unknown>>, n: number): FuzzOp {
  if (!isName(name)) throw wrong(n, `do: no operation ${operationText(name)}`);
  checkFields(fields, FUZZ_RANGES[name], n);
  const op = { do: name, ...fields } as FuzzOp; // all fields were checked
  const reason = unsafeReason(op);
  if (reason !== null) throw wrong(n, reason);
  return op;
}

// Text for whatever stands in place of an operation's name.
function operationText(name: unknown): string {
  return typeof name === "string"
    ? quoted(name)
    : printable(JSON.stringify(name) ?? "without a name");
}

function checkFields(
  fields: Readonly<Record<string, unknown>>,
  ranges: Readonly<Record<string, FuzzRange>>,
  n: number,
): void {
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(ranges, name)) throw wrong(n, `no field ${printable(name)}`);
  }
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = fields[name];
    const fits = (one: unknown) =>
      Number.isInteger(one) && Number(one) >= least && Number(one) <= most;
    if (name === "gfns") {
      if (!Array.isArray(value) || value.length > MOST_STORES || !value.every(fits)) {
        throw wrong(n, `${name}: up to ${MOST_STORES} numbers from ${least} to ${most}`);
      }
    } else if (!fits(value)) throw wrong(n, `${name}: a whole number from ${least} to ${most}`);
  }
}
