// Which stops of a vCPU are expected, and the error text for guests that do not finish in time.
import { KernelError, type Naming } from "../ffi/errors.ts";
import { GuestError } from "../host/errors.ts";
import type { GuestVm } from "../machine/guest_vm.ts";
import { unexpectedExit } from "./inline_driver.ts";
import type { LiveVcpus, VcpuStop } from "./live_vcpus.ts";

/** A stop that the guest's program causes, or that the harvester asked for. */
export type ExpectedStop = "done" | "full" | "asked";

/**
 * Accepts the stops that a live run expects, and throws for all others.
 *
 * @param stop How it stopped; `null` while it runs.
 * @returns The expected stop, or `null` while it runs.
 * @throws {GuestError} If it stopped in another way, or its thread is gone.
 * @throws {KernelError} If `KVM_RUN` failed.
 */
export function expectedStop(vm: GuestVm, id: number, stop: VcpuStop | null): ExpectedStop | null {
  if (stop === null) return null;
  switch (stop.kind) {
    case "exit":
      throw unexpectedExit(vm.vcpus[id]!.vcpu);
    case "errno":
      throw new KernelError(`KVM_RUN on vCPU ${id}`, -stop.errno);
    case "lost":
      throw new GuestError(`vCPU ${id} runs no more: ${stop.why}`);
    default:
      return stop.kind;
  }
}

/** The progress of a vCPU. */
export interface VcpuShare {
  /** The vCPU. */
  readonly id: number;
  /** Stores that it made. */
  readonly made: number;
  /** Stores that it was asked to make. */
  readonly asked: number;
  /** Nanoseconds that it stood still because its ring was full. */
  readonly stoodStillNs: number;
}

/** At most this many vCPUs are named: those with the most stores left. */
const NAMED = 4;
/** Longer timeouts than this, in seconds, are not suggested. */
const DAY_S = 86_400;
/**
 * The suggested timeout is the extrapolated time multiplied by this, since the load of a host
 * varies.
 */
const SPARE = 1.25;

/**
 * The progress of all vCPUs, which must stand still.
 *
 * @param quotas Stores that each was asked to make.
 * @returns The progress, by vCPU.
 */
export function sharesOf(vcpus: LiveVcpus, quotas: readonly number[]): VcpuShare[] {
  return quotas.map((asked, id) => {
    // A wrongly restored guest may count down past zero, so that this is negative: it then made
    // none of the stores.
    const made = Math.max(0, vcpus.placeOf(id).stores);
    return { id, made, asked, stoodStillNs: vcpus.fullStops(id).totalNs };
  });
}

/**
 * The error text when the requested stores are not made in time: the progress of each vCPU, and
 * what to do.
 *
 * @example
 * ```ts
 * import { unfinishedText } from "./expected_stop.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const vcpus = [{ id: 0, made: 300, asked: 1000, stoodStillNs: 2.5e9 }];
 * assertEquals(
 *   unfinishedText(vcpus, 30_000, (value) => value),
 *   "1000 stores are not made within 30 s, 300 are: vCPU 0 made 300 of 1000 and stood still for 2.5 s at a full " +
 *     "ring; expected stores 300 or fewer, or timeout 125s or longer",
 * );
 * ```
 *
 * @param vcpus All vCPUs.
 * @param timeoutMs The time limit, in milliseconds.
 * @param name Gives the names of the options `stores` and `timeout`, as the user knows them.
 * @param advice What to do about it; by default it is derived from the progress.
 */
export function unfinishedText(
  vcpus: readonly VcpuShare[],
  timeoutMs: number,
  name: Naming,
  advice?: string,
): string {
  const sum = (field: "made" | "asked") => vcpus.reduce((all, vcpu) => all + vcpu[field], 0);
  const [made, asked] = [sum("made"), sum("asked")];
  const behind = vcpus.filter((vcpu) => vcpu.made < vcpu.asked)
    .sort((a, b) => (b.asked - b.made) - (a.asked - a.made));
  const named = behind.slice(0, NAMED).map(({ id, made, asked, stoodStillNs }) =>
    `vCPU ${id} made ${made} of ${asked}` +
    (stoodStillNs === 0 ? "" : ` and stood still for ${seconds(stoodStillNs)} s at a full ring`)
  );
  const others = behind.length - named.length;
  const list = [...named, ...(others > 0 ? [`${others} more made not all of theirs`] : [])];
  return `${asked} stores are not made within ${timeoutMs / 1000} s, ${
    made === 0 ? "none is" : `${made} are`
  }: ${list.join(", ")}; ${advice ?? adviceFor(made, asked, timeoutMs / 1000, name)}`;
}

function adviceFor(made: number, asked: number, timeout: number, name: Naming): string {
  const [stores, limit] = [name("stores"), name("timeout")];
  if (made === 0) return `expected fewer with ${stores}, or a longer ${limit}`;
  const wanted = Math.ceil(timeout * asked / made * SPARE);
  const longer = wanted > DAY_S ? "" : `, or ${limit} ${wanted}s or longer`;
  return `expected ${stores} ${made} or fewer${longer}`;
}

function seconds(ns: number): number {
  return Number((ns / 1e9).toPrecision(3));
}
