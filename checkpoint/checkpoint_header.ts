import { PAGE_SIZE } from "../ffi/linux.ts";
import type { TrackingKind } from "../machine/dirty_tracker.ts";
import type { KernelFacts } from "../lab/host.ts";
import type { ResolvedOptions } from "../lab/plan.ts";
import type { VcpuPlace } from "../live/live_vcpus.ts";

/** The machine that a checkpoint is of, as it has to be made again. */
export interface CheckpointedLab extends Omit<ResolvedOptions, "rounds"> {
  /** How often each vCPU's block of the stores stands in its list. */
  readonly passes: number;
}

/** What stands at the beginning of a checkpoint file, as JSON. */
export interface CheckpointHeader {
  /** A full checkpoint, or what changed since the epoch before. */
  readonly kind: "full" | "incremental";
  /** Its epoch: 0 is the beginning, before any store. */
  readonly epoch: number;
  /** The digest of the file of the epoch before; `null` for a full checkpoint. */
  readonly previous: string | null;
  /** The kernel that ran the machine. */
  readonly kernel: Pick<KernelFacts, "backend" | "model" | "release" | "module">;
  /** How dirty pages were tracked. */
  readonly tracking: TrackingKind;
  /** The machine. */
  readonly lab: CheckpointedLab;
  /** Where each vCPU was in its stores. */
  readonly vcpus: readonly VcpuPlace[];
  /** Bytes of slot 0. */
  readonly slot0Bytes: number;
  /** Pages of logged memory in the file. */
  readonly pages: number;
}

const MOST_VCPUS = 2 ** 16;
const MOST_SLOTS = 2 ** 16;
const MOST_MEMORY = 2 ** 40;
/** Stores that a vCPU may have made: with those of a few passes more it is a whole number still. */
const MOST_STORES = 2 ** 52;

/** The longest access list: as many stores as `--pages` takes. Fewer stores are repeated, to far fewer elements. */
export const MOST_LIST: number = 2 ** 28;

/**
 * Reads a header. Nothing of it is trusted: each field is looked at, and only the fields that are known are taken.
 * Whether they go together is for {@linkcode import("./misfit.ts").misfit} to say.
 *
 * @param text The JSON.
 * @returns The header.
 * @throws {SyntaxError} Where it is none, with the field that is wrong.
 */
export function parseHeader(text: string): CheckpointHeader {
  const header = new Fields(JSON.parse(text), "the header");
  const kernel = header.object("kernel");
  const lab = header.object("lab");
  const vcpus = lab.count("vcpus", 1, MOST_VCPUS);
  const memory = lab.count("memory", PAGE_SIZE, MOST_MEMORY);
  const places = header.list("vcpus", vcpus);
  return {
    kind: header.word("kind", ["full", "incremental"]),
    epoch: header.count("epoch", 0),
    previous: header.textOrNull("previous"),
    kernel: {
      backend: kernel.word("backend", ["kvm", "model"]),
      model: kernel.textOrNull("model"),
      release: kernel.text("release"),
      module: kernel.textOrNull("module"),
    },
    tracking: header.word("tracking", ["ring", "bitmap", "bitmap-manual"]),
    lab: {
      guest: lab.word("guest", ["real16", "long64"]),
      vcpus,
      memory,
      slots: lab.count("slots", 1, MOST_SLOTS),
      ring: lab.count("ring", 1, 2 ** 28),
      pattern: lab.text("pattern"),
      pages: lab.count("pages", 1, MOST_LIST),
      passes: lab.count("passes", 1, MOST_LIST),
      seed: lab.count("seed", 0),
    },
    vcpus: places.map((place) => ({
      stores: place.count("stores", 0, MOST_STORES),
      value: place.count("value", 0, 2 ** 32 - 1),
      passStores: place.count("passStores", 0, MOST_LIST),
      passMade: place.count("passMade", 0, MOST_LIST),
    })),
    slot0Bytes: header.count("slot0Bytes", PAGE_SIZE, 2 ** 32),
    pages: header.count("pages", 0, memory / PAGE_SIZE),
  };
}

// The fields of a JSON object, each read as what it is expected to be.
class Fields {
  readonly #of: Readonly<Record<string, unknown>>;
  readonly #name: string;

  constructor(value: unknown, name: string) {
    if (typeof value !== "object" || value === null) throw new SyntaxError(`${name} is no object`);
    this.#of = value as Readonly<Record<string, unknown>>; // any object has keys and values
    this.#name = name;
  }

  #wrong(field: string, expected: string): SyntaxError {
    return new SyntaxError(`${this.#name}: ${field} is not ${expected}`);
  }

  count(field: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#of[field];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw this.#wrong(field, `a whole number from ${min} to ${max}`);
  }

  text(field: string): string {
    const value = this.#of[field];
    if (typeof value === "string") return value;
    throw this.#wrong(field, "a text");
  }

  textOrNull(field: string): string | null {
    return this.#of[field] === null ? null : this.text(field);
  }

  word<const Word extends string>(field: string, words: readonly Word[]): Word {
    const found = words.find((word) => word === this.#of[field]);
    if (found === undefined) throw this.#wrong(field, words.join(" or "));
    return found;
  }

  object(field: string): Fields {
    return new Fields(this.#of[field], `${this.#name}: ${field}`);
  }

  list(field: string, length: number): Fields[] {
    const value = this.#of[field];
    if (!Array.isArray(value) || value.length !== length) {
      throw this.#wrong(field, `a list of ${length}`);
    }
    return value.map((one, n) => new Fields(one, `${this.#name}: ${field}[${n}]`));
  }
}
