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

/** What a machine shall be. What is not given is the least that works. */
export interface MachineOptions {
  /** The guest program, by default the long-mode one: native everywhere. */
  readonly guest?: Guest;
  /** vCPUs, 1 by default. */
  readonly vcpus?: number;
  /** Bytes of each ring; `null` leaves the ring off. */
  readonly ringBytes?: number | null;
  /** Pages of the first logged slot, 1024 by default; 0 makes no such slot. */
  readonly pages?: number;
  /** Pages of host memory behind all logged slots: by default 1536, or as many as the first slot has. */
  readonly hostPages?: number;
  /** Whether the ring is enabled after the first logged slot was made; before it unless given. */
  readonly ringAfterSlot?: boolean;
  /** Called between the VM's making and its first vCPU. */
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
  /** First page of the host memory behind it, 0 by default. */
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
 * `KVM_RESET_DIRTY_RINGS`, raw: whatever is harvested, with signals let in.
 *
 * @param argument Its argument, which the kernel ignores.
 * @returns The entries reset, or minus an errno.
 */
export function resetRaw(vm: Vm, argument = 0): number {
  return vm.ioctl(KVM_RESET_DIRTY_RINGS, argument);
}

/** Stores that a vCPU's list has room for. */
const LIST_STORES = 8192;
/** The first guest frame of the first logged slot: beyond the guest's program and lists. */
const FIRST_GFN = 0x1000;
/** Host memory of most machines: a kernel in memory takes milliseconds to make more. */
const HOST_PAGES = 1536;

/**
 * A fresh VM that does what a check tells it, step by step: slots anywhere, stores to any page, entries
 * looked at, harvested and forged one by one. It harvests and resets by itself, and not in the cycle that all else
 * takes (`drive/harvest_cycle.ts`): a check must be able to do it wrong, in part, and in any order. It is no machine of
 * `--kernel` (`vm/machine.ts`), in which all of this may run.
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
  /** Their rings; none with the ring off. */
  readonly rings: readonly DirtyRing[];
  /** The first guest frame of slot 1. */
  readonly gfn: number = FIRST_GFN;
  /** Host memory behind the logged slots, in words of 32 bits. */
  readonly memory: Uint32Array<ArrayBuffer>;

  /**
   * Makes the machine: slot 0 with the program, and logged slot 1 at {@linkcode Machine.gfn}.
   *
   * @param system `/dev/kvm`.
   * @param options What it shall be.
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

  /** Where the host memory behind the logged slots lies in this process. */
  get hostAddress(): number {
    return this.#host.address;
  }

  /**
   * `KVM_SET_USER_MEMORY_REGION`, raw, over the machine's host memory.
   *
   * @param slot Address space << 16 | slot id.
   * @param place Where it lies.
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
   * Lets a vCPU store to the first word of pages, a growing value each, until it is done or stops.
   *
   * @param gfns The pages' guest frames, in order; 8192 at most.
   * @returns How it stopped: the exit's name, or an errno's.
   */
  store(vcpu: number, gfns: readonly number[]): string {
    this.begin(vcpu, gfns);
    return this.resume(vcpu);
  }

  /**
   * Sets a vCPU up for stores, and does not run it yet.
   *
   * @param gfns The pages' guest frames.
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
   * @returns How it stopped: the exit's name, or an errno's.
   */
  resume(vcpu: number): string {
    const one = this.vcpus[vcpu]!;
    const answer = one.run();
    return answer < 0 ? errnoName(-answer) : exitName(one.exitReason);
  }

  /**
   * Stores that a vCPU has still to make.
   *
   * @returns Stores.
   */
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

  /**
   * Every entry of a ring that is dirty or harvested, in the order of the mapping.
   *
   * @returns The entries.
   */
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
   * Harvests in order, from the machine's fetch index on.
   *
   * @param limit The most entries; by default all that are dirty.
   * @returns Entries harvested.
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
   * The machine's fetch index: the next entry to harvest.
   *
   * @returns The index, free running.
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
   * Forges what an entry names. On a live kernel the offset stays far below 2^64.
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
   * `KVM_RESET_DIRTY_RINGS`, raw.
   *
   * @returns The entries reset, or minus an errno.
   */
  reset(): number {
    return resetRaw(this.vm);
  }

  /**
   * What the first word of a page of host memory holds.
   *
   * @param page The page, counted over the machine's host memory.
   * @returns The value last stored there, 0 before.
   */
  word(page: number): number {
    return this.memory[page * PAGE_WORDS]!;
  }

  /** Gives everything back. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
