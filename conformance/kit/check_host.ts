import type { Insight } from "../../ffi/insight.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_CAP_DIRTY_LOG_RING_ACQ_REL } from "../../ffi/kvm_constants.ts";
import { real16 } from "../../guest/real16.ts";
import { kernelRelease, kvmModule, pageModificationLogging } from "../../host/facts.ts";
import { inferReserved, largestRing, smallestRing, System } from "../../kvm/system.ts";
import { releaseNumber } from "../../ring/coalesce.ts";
import { CheckSkip } from "./expect.ts";
import { Machine, type MachineOptions } from "./machine.ts";

/** What checks are allowed to do. */
export interface CheckOptions {
  /** Whether checks that make the kernel warn, and taint it, may run. */
  readonly allowWarn: boolean;
  /**
   * Whether checks that could harm a kernel without a fix may run. Only for a kernel that is thrown
   * away afterwards.
   */
  readonly allowHarm: boolean;
}

/**
 * The kernel under test: its limits and features, and the machines made on it. Each check gets a
 * host of its own.
 */
export class CheckHost implements Disposable {
  readonly #resources = new DisposableStack();
  #emulates: boolean | undefined;
  /** The kernel that answers. */
  readonly kernel: Kernel;
  /** What the check is allowed to do. */
  readonly options: CheckOptions;
  /** `/dev/kvm`. */
  readonly system: System;
  /** Bytes of the largest ring. */
  readonly largest: number;
  /** Bytes of the smallest ring that the kernel accepts. */
  readonly smallest: number;
  /** Reserved entries, inferred from the smallest ring; 64 where that does not tell. */
  readonly reserved: number;
  /** The kernel's release, `"6.18.44"`. */
  readonly release: string;

  /**
   * Opens `/dev/kvm` and queries its limits.
   *
   * @param options What the check is allowed to do.
   * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
   */
  constructor(kernel: Kernel, options: CheckOptions) {
    this.kernel = kernel;
    this.options = options;
    this.system = this.#resources.use(System.open(kernel));
    this.largest = largestRing(this.system);
    this.smallest = smallestRing(this.system, this.largest);
    this.reserved = inferReserved(this.smallest) ?? 64;
    this.release = kernelRelease(kernel);
  }

  /** Entries of the smallest ring. */
  get entries(): number {
    return this.smallest / 16;
  }

  /** Soft limit of the smallest ring. */
  get softLimit(): number {
    return this.entries - this.reserved;
  }

  /** Whether the kernel reports the acquire/release capability. */
  get acquireRelease(): boolean {
    return this.system.checkExtension(KVM_CAP_DIRTY_LOG_RING_ACQ_REL) > 0;
  }

  /** Whether the processor logs writes (PML), in a buffer that KVM empties at exits. */
  get pml(): boolean {
    return pageModificationLogging(this.kernel, kvmModule(this.kernel)) ?? this.reserved > 64;
  }

  /**
   * Whether KVM emulates the guest's real mode. A page that is stored to twice then has two entries
   * (`push.emulated-writes-repeat`).
   */
  get emulatesRealMode(): boolean {
    return this.#emulates ??= this.#findsTwoEntries();
  }

  #findsTwoEntries(): boolean {
    const machine = this.machine({ guest: real16 });
    machine.store(0, [machine.gfn, machine.gfn]);
    return machine.dirty(0).length > 1;
  }

  /**
   * The questions that only the model can answer.
   *
   * @throws {CheckSkip} On a real kernel.
   */
  get insight(): Insight {
    const { insight } = this.kernel;
    if (insight === null) throw new CheckSkip("only the model can show it");
    return insight;
  }

  /**
   * Whether this kernel is of a version or newer.
   *
   * @param version `"6.17"`.
   */
  since(version: string): boolean {
    return releaseNumber(this.release) >= releaseNumber(version);
  }

  /**
   * Skips the check on a kernel older than a version.
   *
   * @param version `"6.17"`.
   * @throws {CheckSkip} Where it is older.
   */
  needs(version: string): void {
    if (!this.since(version)) {
      throw new CheckSkip(`of Linux ${version} and newer, this is ${this.release}`);
    }
  }

  /**
   * Skips the check on a processor with PML, where entries appear only at exits.
   *
   * @throws {CheckSkip} With PML.
   */
  needsFaults(): void {
    if (this.pml) throw new CheckSkip("this processor logs by PML, where stores do not fault");
  }

  /**
   * Makes a fresh VM with a guest. The host owns it and disposes it.
   *
   * @param options By default the smallest ring that the kernel accepts.
   */
  machine(options: MachineOptions = {}): Machine {
    return this.#resources.use(new Machine(this.system, { ringBytes: this.smallest, ...options }));
  }

  /**
   * Hands a resource over to the host, which disposes it when the check has ended.
   *
   * @returns The resource.
   */
  use<T extends Disposable>(resource: T): T {
    return this.#resources.use(resource);
  }

  /** Disposes every machine and closes `/dev/kvm`. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
