// The VM that the checks drive step by step. Checks use it to harvest and reset in ways that the
// normal cycle never would.
import { checked, errnoName } from "../../ffi/errors.ts";
import {
  exitName,
  KVM_CAP_DIRTY_LOG_RING,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "../../ffi/kvm_constants.ts";
import { KVM_RESET_DIRTY_RINGS, KVM_SET_USER_MEMORY_REGION } from "../../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import type { Guest } from "../../guest/guest.ts";
import { long64 } from "../../guest/long64.ts";
import { type DirtyRing, Mapping } from "../../kvm/mapping.ts";
import type { System } from "../../kvm/system.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { memoryRegionStruct, type Vm } from "../../kvm/vm.ts";
import {
  DIRTY,
  ENTRY_WORDS,
  FLAGS,
  HARVESTED,
  OFFSET,
  PAGE_WORDS,
  SLOT,
} from "../../ring/entry.ts";

/** Options of a {@linkcode Machine}. The defaults are the least that works. */
export interface MachineOptions {
  /** The guest program. By default the long-mode guest, which runs natively on every host. */
  readonly guest?: Guest;
  /** vCPUs, 1 by default. */
  readonly vcpus?: number;
  /** Bytes of each ring; `null` leaves the ring off. */
  readonly ringBytes?: number | null;
  /** Pages of the first logged slot, 1024 by default; 0 makes no such slot. */
  readonly pages?: number;
  /**
   * Pages of host memory behind all logged slots. By default 1536, or as many as the first slot has
   * if that is more.
   */
  readonly hostPages?: number;
  /**
   * Whether to enable the ring after the first logged slot is made. By default it is enabled
   * before.
   */
  readonly ringAfterSlot?: boolean;
  /** Called after the slots are made and before the first vCPU is. */
  readonly beforeVcpus?: (vm: Vm) => void;
}

/** Where a slot lies. */
export interface SlotPlace {
  /** First guest frame. */
  readonly gfn: number;
  /** Pages; 0 deletes the slot. */
  readonly pages: number;
  /** `KVM_MEM_*` bits, by default `KVM_MEM_LOG_DIRTY_PAGES`. */
  readonly flags?: number;
  /** First page of the machine's host memory that backs the slot; 0 by default. */
  readonly hostPage?: number;
}

/** An entry as it stands in a ring. */
export interface RingEntry {
  /** Its position. */
  readonly index: number;
  /** Flags. */
  readonly flags: number;
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** Pages from the slot's base. */
  readonly offset: number;
}

/**
 * One plain `KVM_RESET_DIRTY_RINGS`. Unlike `Vm.resetDirtyRings` it does not block signals, so a
 * signal may end the walk early.
 *
 * @param argument The ioctl's argument, which the kernel ignores.
 * @returns The entries reset, or minus an errno.
 */
export function resetRaw(vm: Vm, argument = 0): number {
  return vm.ioctl(KVM_RESET_DIRTY_RINGS, argument);
}

/** The number of stores that fit in a vCPU's list. */
const LIST_STORES = 8192;
/** The first guest frame of the first logged slot, above the guest's program and lists. */
const FIRST_GFN = 0x1000;
/**
 * Pages of host memory that most machines get. More would cost the model milliseconds for each
 * machine.
 */
const HOST_PAGES = 1536;

/**
 * A fresh VM that a check drives by hand: slots anywhere, stores to any page, and ring entries that
 * are inspected, harvested and forged one by one.
 *
 * It harvests and resets directly instead of through `drive/harvest_cycle.ts`, because a check must
 * be able to do so wrongly, partially and in any order. Unlike a `GuestVm` (`machine/guest_vm.ts`)
 * it has no tracker; unlike the fuzzer's `FuzzVm`, which runs a recorded program, it takes its
 * steps from a check's code. The `Machine` of `vm/machine.ts` is something else: the whole computer
 * that `--kernel` boots, in which all of this may run.
 */
export class Machine implements Disposable {
  readonly #resources: DisposableStack;
  readonly #list: Uint32Array<ArrayBuffer>;
  readonly #host: Mapping;
  readonly #fetch: number[];
  #value = 0;
  /** The guest program. */
  readonly guest: Guest;
  /** The VM. */
  readonly vm: Vm;
  /** The vCPUs. */
  readonly vcpus: readonly Vcpu[];
  /** Their rings; empty with the ring off. */
  readonly rings: readonly DirtyRing[];
  /** The first guest frame of slot 1. */
  readonly gfn: number = FIRST_GFN;
  /** Host memory behind the logged slots, in words of 32 bits. */
  readonly memory: Uint32Array<ArrayBuffer>;

  /**
   * Makes the VM with slot 0, which holds the program, and logged slot 1 at
   * {@linkcode Machine.gfn}.
   *
   * @param system `/dev/kvm`.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(system: System, options: MachineOptions) {
    using resources = new DisposableStack();
    const { guest = long64, vcpus = 1, ringBytes = PAGE_SIZE, pages = 1024 } = options;
    const { kernel } = system;
    this.guest = guest;
    this.vm = resources.use(system.createVm());
    const { ringAfterSlot = false } = options;
    if (ringBytes !== null && !ringAfterSlot) this.#enableRing(ringBytes);
    const low = guest.listAt + vcpus * LIST_STORES * guest.listElement;
    const program = resources.use(Mapping.anonymous(kernel, low, "guest code and list"));
    const hostBytes = (options.hostPages ?? Math.max(HOST_PAGES, pages)) * PAGE_SIZE;
    this.#host = resources.use(Mapping.anonymous(kernel, hostBytes, "guest memory"));
    this.memory = this.#host.words;
    guest.place(program.bytes);
    this.#list = program.words.subarray(guest.listAt / 4);
    this.vm.setUserMemoryRegion({
      slot: 0,
      flags: 0,
      guestPhysAddr: 0,
      memorySize: low,
      userspaceAddr: program.address,
    });
    if (pages > 0) checked(this.setSlot(1, { gfn: FIRST_GFN, pages }), "logged slot 1");
    if (ringBytes !== null && ringAfterSlot) this.#enableRing(ringBytes);
    options.beforeVcpus?.(this.vm);
    const mmapSize = system.vcpuMmapSize();
    const made: Vcpu[] = [];
    const rings: DirtyRing[] = [];
    for (let id = 0; id < vcpus; id++) {
      const vcpu = resources.use(this.vm.createVcpu(id, mmapSize));
      vcpu.changeSregs(guest.prepare);
      made.push(vcpu);
      if (ringBytes !== null) rings.push(resources.use(vcpu.mapDirtyRing(ringBytes)));
    }
    this.vcpus = made;
    this.rings = rings;
    this.#fetch = made.map(() => 0);
    this.#resources = resources.move();
  }

  #enableRing(bytes: number): void {
    const answer = this.vm.enableCap(KVM_CAP_DIRTY_LOG_RING, bytes);
    checked(answer, `KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, ${bytes})`);
  }

  /** Address, in this process, of the host memory behind the logged slots. */
  get hostAddress(): number {
    return this.#host.address;
  }

  /**
   * One plain `KVM_SET_USER_MEMORY_REGION`. The slot is backed by the machine's host memory.
   *
   * @param slot Address space << 16 | slot id.
   * @returns 0, or minus an errno.
   */
  setSlot(
    slot: number,
    { gfn, pages, flags = KVM_MEM_LOG_DIRTY_PAGES, hostPage = 0 }: SlotPlace,
  ): number {
    return this.vm.ioctl(
      KVM_SET_USER_MEMORY_REGION,
      memoryRegionStruct({
        slot,
        flags,
        guestPhysAddr: gfn * PAGE_SIZE,
        memorySize: pages * PAGE_SIZE,
        userspaceAddr: this.#host.address + hostPage * PAGE_SIZE,
      }),
    );
  }

  /**
   * Lets a vCPU store to the first word of each page, with a value that grows by one, until the
   * list ends or the vCPU exits.
   *
   * @param gfns The pages' guest frames, in order; 8192 at most.
   * @returns How the run ended: the name of the exit reason, or of the errno.
   */
  store(vcpu: number, gfns: readonly number[]): string {
    this.begin(vcpu, gfns);
    return this.resume(vcpu);
  }

  /**
   * Sets a vCPU up for stores without running it.
   *
   * @param gfns The pages' guest frames, in order; 8192 at most.
   */
  begin(vcpu: number, gfns: readonly number[]): void {
    const { guest } = this;
    const words = guest.listElement / 4;
    const first = vcpu * LIST_STORES * words;
    gfns.forEach((gfn, n) => {
      const address = gfn * PAGE_SIZE;
      this.#list[first + n * words] = address; // its low 32 bits
      if (words === 2) this.#list[first + n * words + 1] = Math.floor(address / 2 ** 32);
    });
    const value = this.#value + 1;
    this.#value += gfns.length;
    this.vcpus[vcpu]!.setRegisters(guest.begin({
      list: guest.listAt + first * 4,
      stores: gfns.length,
      value,
      step: 1,
    }));
  }

  /**
   * Runs a vCPU on from where it stopped.
   *
   * @returns How the run ended: the name of the exit reason, or of the errno.
   */
  resume(vcpu: number): string {
    const one = this.vcpus[vcpu]!;
    const answer = one.run();
    return answer < 0 ? errnoName(-answer) : exitName(one.exitReason);
  }

  /** Stores that a vCPU has still to make. */
  remaining(vcpu: number): number {
    return this.guest.remaining((name) => this.vcpus[vcpu]!.register(name));
  }

  /**
   * An entry of a ring.
   *
   * @param index Its position, which wraps at the ring's size.
   */
  entry(vcpu: number, index: number): RingEntry {
    const { words, entries } = this.rings[vcpu]!;
    const at = (index % entries) * ENTRY_WORDS;
    return {
      index: index % entries,
      flags: words[at + FLAGS]!,
      slot: words[at + SLOT]!,
      offset: words[at + OFFSET]! + words[at + OFFSET + 1]! * 2 ** 32,
    };
  }

  /** All entries of a ring whose flags are not 0, in the order of the mapping. */
  held(vcpu: number): RingEntry[] {
    const all = Array.from({ length: this.rings[vcpu]!.entries }, (_, n) => this.entry(vcpu, n));
    return all.filter(({ flags }) => flags !== 0);
  }

  /**
   * The offsets of a ring's dirty entries from the fetch index on, in ring order.
   *
   * @returns Offsets in pages.
   */
  dirty(vcpu: number): number[] {
    const offsets: number[] = [];
    for (let n = 0; n < this.rings[vcpu]!.entries; n++) {
      const { flags, offset } = this.entry(vcpu, this.#fetch[vcpu]! + n);
      if ((flags & (DIRTY | HARVESTED)) !== DIRTY) break;
      offsets.push(offset);
    }
    return offsets;
  }

  /**
   * Marks dirty entries as harvested, in ring order from the machine's fetch index on.
   *
   * @param limit The maximum number of entries; by default all that are dirty.
   * @returns The number of entries harvested.
   */
  harvest(vcpu: number, limit = Infinity): number {
    const count = Math.min(limit, this.dirty(vcpu).length);
    for (let n = 0; n < count; n++) this.setFlags(vcpu, this.#fetch[vcpu]!++, DIRTY | HARVESTED);
    return count;
  }

  /**
   * Moves the machine's fetch index.
   *
   * @param by Entries forward, or back where negative.
   */
  seek(vcpu: number, by: number): void {
    this.#fetch[vcpu]! += by;
  }

  /**
   * The machine's fetch index: the position of the next entry to harvest.
   *
   * @returns The index, which does not wrap at the ring's size.
   */
  fetch(vcpu: number): number {
    return this.#fetch[vcpu]!;
  }

  /**
   * Writes an entry's flags.
   *
   * @param index Its position, which wraps at the ring's size.
   */
  setFlags(vcpu: number, index: number, flags: number): void {
    const { words, entries } = this.rings[vcpu]!;
    words[(index % entries) * ENTRY_WORDS + FLAGS] = flags;
  }

  /**
   * Overwrites the slot and offset of an entry. On a live kernel the offset must stay far below
   * 2^64.
   *
   * @param index Its position, which wraps at the ring's size.
   * @param slot Address space << 16 | slot id.
   * @param offset Pages from the slot's base.
   */
  forge(vcpu: number, index: number, slot: number, offset: number | bigint): void {
    const { words, entries } = this.rings[vcpu]!;
    const at = (index % entries) * ENTRY_WORDS;
    const wide = BigInt.asUintN(64, BigInt(offset));
    words[at + SLOT] = slot;
    words[at + OFFSET] = Number(wide & 0xffff_ffffn);
    words[at + OFFSET + 1] = Number(wide >> 32n);
  }

  /**
   * One plain `KVM_RESET_DIRTY_RINGS`, as {@linkcode resetRaw}.
   *
   * @returns The entries reset, or minus an errno.
   */
  reset(): number {
    return resetRaw(this.vm);
  }

  /**
   * The first word of a page of host memory.
   *
   * @param page The page, counted from the start of the machine's host memory.
   * @returns The value last stored there; 0 if there was none.
   */
  word(page: number): number {
    return this.memory[page * PAGE_WORDS]!;
  }

  /** Closes every file descriptor and unmaps all memory. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
