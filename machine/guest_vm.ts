// The VM that nearly every command runs: guest program, memory, vCPUs and dirty tracking.
import type { Kernel } from "../ffi/kernel.ts";
import {
  KVM_CAP_MAX_VCPUS,
  KVM_CAP_NR_MEMSLOTS,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Errand } from "../guest/guest.ts";
import { LimitError } from "../host/errors.ts";
import { type KernelFacts, kernelFacts, type Result } from "../host/facts.ts";
import { Mapping } from "../kvm/mapping.ts";
import { largestRing, System } from "../kvm/system.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";
import { LoggedPages, type Slot } from "../ring/entry.ts";
import type { DirtyTracker } from "./dirty_tracker.ts";
import { type Plan, type ResolvedOptions, vcpuBits } from "./plan.ts";
import { RingTracker } from "./ring_tracker.ts";

/** A vCPU with its share of the stores. */
export interface GuestVcpu {
  /** The vCPU. */
  readonly vcpu: Vcpu;
  /** Index of the first element of its block in the sequence. */
  readonly first: number;
  /** Stores of its block. */
  readonly stores: number;
}

/**
 * A VM with everything that its guest needs to run: its program, logged memory, vCPUs, and a
 * tracker of dirty pages. `Vm` (kvm/vm.ts) is only KVM's file descriptor in it, and
 * {@linkcode RingVm} is a `GuestVm` that tracks with rings. Disposing it releases every file
 * descriptor and mapping.
 */
export class GuestVm<Tracker extends DirtyTracker = DirtyTracker> implements Disposable {
  readonly #resources: DisposableStack;
  readonly #counters: number[];
  readonly #list: Uint32Array<ArrayBuffer>;
  /** The plan that it was made from. */
  readonly plan: Plan;
  /** Which kernel answers. */
  readonly kernel: KernelFacts;
  /** The VM. */
  readonly vm: Vm;
  /** The source of its dirty pages. */
  readonly tracker: Tracker;
  /** The vCPUs, by their ids. */
  readonly vcpus: readonly GuestVcpu[];
  /** Slot 0: the guest's code and its access list. Do not touch it after the VM is disposed of. */
  readonly slot0: Uint8Array<ArrayBuffer>;
  /** All logged memory, as 32-bit words. Do not touch it after the VM is disposed of. */
  readonly memory: Uint32Array<ArrayBuffer>;
  /** The address of the logged memory in this process. */
  readonly memoryAddress: number;
  /** The logged slots as one sequence of pages. */
  readonly pages: LoggedPages;

  /**
   * Makes the VM: tracking is enabled, then memory slots are set, then vCPUs are made.
   *
   * @param tracker The source of its dirty pages, not used by any other VM. The VM owns it and
   * disposes of it.
   * @throws {HostError} If the host has no usable KVM, or the kernel lacks the way of tracking: the
   * dirty ring, or manual protection.
   * @throws {LimitError} Above a limit that the kernel reports.
   * @throws {KernelError} If the kernel refuses a call.
   */
  constructor(kernel: Kernel, plan: Plan, tracker: Tracker) {
    using resources = new DisposableStack();
    const system = resources.use(System.open(kernel));
    const largest = largestRing(system);
    checkLimits(system, plan);
    this.plan = plan;
    this.kernel = kernelFacts(kernel, largest);
    this.pages = new LoggedPages(plan.slots);
    this.#counters = new Array(plan.options.vcpus).fill(1);

    this.vm = resources.use(system.createVm());
    tracker.enable(system, this.vm);
    this.tracker = tracker;
    const slot0 = plan.slots[0]!.pages * PAGE_SIZE;
    const low = resources.use(Mapping.anonymous(kernel, slot0, "guest code and access list"));
    const logged = resources.use(Mapping.anonymous(kernel, plan.options.memory, "guest memory"));
    setSlots(this.vm, plan, low, logged);
    this.vm.placeRealModePages(slot0 + plan.options.memory);
    plan.guest.place(low.bytes);
    this.slot0 = low.bytes;
    this.#list = low.words.subarray(plan.guest.listAt / 4);
    this.memory = logged.words;
    this.memoryAddress = logged.address;

    const mmapSize = system.vcpuMmapSize();
    this.vcpus = plan.blocks.map(({ first, stores }, id) => {
      const vcpu = resources.use(this.vm.createVcpu(id, mmapSize));
      resources.use(tracker.addVcpu(vcpu));
      vcpu.changeSregs(plan.guest.prepare);
      return { vcpu, first, stores };
    });
    tracker.begin(plan.slots);
    resources.use(tracker);
    this.load(plan.sequence);
    this.#resources = resources.move();
  }

  /**
   * Writes the access list.
   *
   * @param sequence A page number for each store, no longer than the plan's.
   */
  load(sequence: Uint32Array): void {
    const base = this.plan.slots[0]!.pages;
    const words = this.plan.guest.listElement / 4;
    for (let n = 0; n < sequence.length; n++) {
      const address = (base + sequence[n]!) * PAGE_SIZE;
      this.#list[n * words] = address; // its low 32 bits
      if (words === 2) this.#list[n * 2 + 1] = Math.floor(address / 2 ** 32);
    }
  }

  /**
   * The next errand of a vCPU: some stores of the list, with values that continue its counter.
   *
   * @param first Its first list element.
   * @param stores How many stores it shall make.
   * @returns The errand. The vCPU's counter is advanced by its stores.
   */
  errand(id: number, first: number, stores: number): Errand {
    const bits = vcpuBits(this.vcpus.length);
    const value = (this.#counters[id]! * 2 ** bits + id) % 2 ** 32;
    this.#counters[id]! += stores;
    const { listAt, listElement } = this.plan.guest;
    return { list: listAt + first * listElement, stores, value, step: 2 ** bits };
  }

  /**
   * Sets a vCPU's registers for an errand of {@linkcode GuestVm.errand}.
   *
   * @param first Its first list element.
   * @param stores How many stores it shall make.
   */
  begin(id: number, first: number, stores: number): void {
    const registers = this.plan.guest.begin(this.errand(id, first, stores));
    this.vcpus[id]!.vcpu.setRegisters(registers);
  }

  /**
   * The stores that a vCPU still has to make, of those that {@linkcode GuestVm.begin} asked for.
   *
   * @returns The number of stores; 0 when it is done.
   */
  remaining(id: number): number {
    const { vcpu } = this.vcpus[id]!;
    return this.plan.guest.remaining((name) => vcpu.register(name));
  }

  /**
   * The pages that a vCPU may have stored to since it began its block of the list. No other page
   * can have changed, so a check of memory needs to read only these.
   *
   * @param made Stores that it made and counted. One more may have been made and not counted yet.
   * @returns Page numbers, in the order of the list, repeated as often as in the list.
   */
  storedTo(id: number, made: number): Uint32Array<ArrayBuffer> {
    const { first, stores } = this.vcpus[id]!;
    return this.plan.sequence.subarray(first, first + Math.min(made + 1, stores));
  }

  /** Releases everything, in reverse order. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

/**
 * A VM whose dirty pages are tracked in rings. All commands use it, except that checkpoints and
 * comparisons with bitmaps may use another `GuestVm`. Variables called `lab` hold one.
 */
export type RingVm = GuestVm<RingTracker>;

/**
 * Makes a VM whose dirty pages are tracked in rings.
 *
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {LimitError} Above a limit that the kernel reports.
 * @throws {KernelError} If the kernel refuses a call.
 */
export function ringVm(kernel: Kernel, plan: Plan): RingVm {
  return new GuestVm(kernel, plan, new RingTracker(plan.ringBytes));
}

function checkLimits(system: System, { options }: Plan): void {
  const vcpus = system.checkExtension(KVM_CAP_MAX_VCPUS);
  if (options.vcpus > vcpus) {
    throw new LimitError(
      { vcpus: options.vcpus },
      (name) => `${name("vcpus")} ${options.vcpus}: this kernel allows ${vcpus} in a VM at most`,
      { least: 1, most: vcpus },
    );
  }
  const slots = system.checkExtension(KVM_CAP_NR_MEMSLOTS) - 1;
  if (options.slots > slots) {
    throw new LimitError(
      { slots: options.slots },
      (name) =>
        `${name("slots")} ${options.slots}: this kernel allows ${slots} beside slot 0 at most`,
      { least: 1, most: slots },
    );
  }
}

function setSlots(vm: Vm, plan: Plan, low: Mapping, logged: Mapping): void {
  const base = plan.slots[0]!.pages;
  for (const { id, gfn, pages, logged: isLogged } of plan.slots) {
    vm.setUserMemoryRegion({
      slot: id,
      flags: isLogged ? KVM_MEM_LOG_DIRTY_PAGES : 0,
      guestPhysAddr: gfn * PAGE_SIZE,
      memorySize: pages * PAGE_SIZE,
      userspaceAddr: isLogged ? logged.address + (gfn - base) * PAGE_SIZE : low.address,
    });
  }
}

/** The fields with which every result of a lab begins. */
export interface LabResult extends Result {
  /** The options as resolved. */
  readonly lab: ResolvedOptions;
  /** The guest's memory slots. */
  readonly slots: readonly Slot[];
}

/**
 * Builds the beginning of a lab's result.
 *
 * @param schema The schema of the result, such as `dirtyring.run/1`.
 * @returns The first fields of the result.
 */
export function labResult<Schema extends string>(
  schema: Schema,
  lab: RingVm,
): LabResult & { readonly schema: Schema } {
  return { schema, kernel: lab.kernel, lab: lab.plan.options, slots: lab.plan.slots };
}
