import { KVM_MEM_READONLY } from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { CpuMemory } from "./linear_memory.ts";
import { type MemorySlot, PageState, slotMemory } from "./slots.ts";
import type { LoggedVcpu, ModelVm } from "./vm.ts";

/** Why a memory access made the vCPU leave the guest. */
export type MemoryEvent =
  /** A fault: {@linkcode GuestMemory.handleFault} maps the page, then the access is repeated. */
  | "fault"
  /** The processor's PML buffer is full. */
  | "pml"
  /** No slot has the page, or a store hits a read-only slot: the access goes to a device. */
  | "mmio"
  /** A slot has the page, but the program has no memory there. */
  | "efault";

/** An access to a device. */
export interface Mmio {
  /** Guest physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** Whether it is a store. */
  readonly isWrite: boolean;
  /** Low word of what is stored, or of what the program answers. */
  low: number;
  /** High word. */
  high: number;
}

/** A slot with views of its memory; addresses are guest physical, `end` is exclusive. */
interface SlotView {
  readonly slot: MemorySlot;
  readonly first: number;
  readonly end: number;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
}

const NOWHERE: SlotView = {
  slot: {
    slot: 0,
    base_gfn: 0,
    npages: 0,
    flags: 0,
    userspace_addr: 0,
    pages: new Uint8Array(0),
    bitmap: null,
  },
  first: 0,
  end: 0,
  words: new Uint32Array(0),
  view: new DataView(new ArrayBuffer(0)),
};
const SAFE_SHIFT = 2 ** 31;

/**
 * Guest memory as one vCPU accesses it: through the slots, and through dirty logging, which feeds
 * the ring. A logged page is write-protected while it is clean. A store to it faults; the fault
 * pushes the page and makes it writable, and then the store is repeated. With PML the processor
 * logs the page and the store goes on. Where KVM emulates the guest there are no page tables: each
 * store pushes.
 */
export class GuestMemory implements CpuMemory {
  readonly #vm: ModelVm;
  readonly #vcpu: LoggedVcpu;
  #fetched = NOWHERE;
  #loaded = NOWHERE;
  #stored = NOWHERE;
  #emulates = false;
  #faulted: { readonly slot: MemorySlot; readonly page: number } | null = null;
  /** Low word of the last load. */
  low = 0;
  /** High word of the last load. */
  high = 0;
  /** Why the last access that answered false did so. */
  event: MemoryEvent = "fault";
  /** The device access that waits for the program's answer, or has just got it. */
  mmio: Mmio | null = null;
  /** Whether {@linkcode GuestMemory.mmio} has its answer, so that the access can be completed. */
  isMmioAnswered = false;
  // The PML buffer: guest frames that the processor has logged since the last exit, oldest first.
  readonly #pml: number[] = [];

  /** Makes the view that one vCPU has of a VM's memory. */
  constructor(vm: ModelVm, vcpu: LoggedVcpu) {
    this.#vm = vm;
    this.#vcpu = vcpu;
  }

  /**
   * Begins a run: slots and mappings may have changed since the last.
   *
   * @param emulates Whether KVM emulates the guest now.
   */
  begin(emulates: boolean): void {
    this.#fetched = this.#loaded = this.#stored = NOWHERE;
    this.#emulates = emulates;
  }

  /** Loads instruction bytes. */
  fetch(address: number, size: number): boolean {
    if (address < this.#fetched.first || address >= this.#fetched.end) {
      this.#fetched = this.#find(address);
    }
    return this.#load(this.#fetched, address, size);
  }

  /** Loads data. */
  load(address: number, size: number): boolean {
    if (address < this.#loaded.first || address >= this.#loaded.end) {
      this.#loaded = this.#find(address);
    }
    return this.#load(this.#loaded, address, size);
  }

  #load(found: SlotView, address: number, size: number): boolean {
    if (found === NOWHERE) return this.#device(address, size, false, 0, 0);
    const offset = address - found.first;
    if (offset + size > found.view.byteLength) return this.#leave("efault");
    const page = Math.floor(offset / PAGE_SIZE);
    // A page first touched by a load is mapped writable, too, and therefore pushed
    // (push.read-may-push).
    if (!this.#emulates && found.slot.pages[page] === PageState.NONE) {
      return this.#fault(found.slot, page);
    }
    if ((offset & 3) === 0 && size >= 4) {
      const at = offset < SAFE_SHIFT ? offset >>> 2 : offset / 4;
      this.low = found.words[at]!;
      this.high = size === 8 ? found.words[at + 1]! : 0;
      return true;
    }
    this.low = 0;
    this.high = 0;
    for (let n = 0; n < size; n++) {
      const byte = found.view.getUint8(offset + n);
      if (n < 4) this.low = (this.low | (byte << (8 * n))) >>> 0;
      else this.high = (this.high | (byte << (8 * (n - 4)))) >>> 0;
    }
    return true;
  }

  /** Stores data, after dirty logging has seen the page. */
  store(address: number, size: number, low: number, high: number): boolean {
    if (address < this.#stored.first || address >= this.#stored.end) {
      this.#stored = this.#find(address);
    }
    const found = this.#stored;
    const { slot } = found;
    if (found === NOWHERE || (slot.flags & KVM_MEM_READONLY) !== 0) {
      return this.#device(address, size, true, low, high);
    }
    const offset = address - found.first;
    if (offset + size > found.view.byteLength) return this.#leave("efault");
    const page = Math.floor(offset / PAGE_SIZE);
    if (this.#emulates) {
      write(found, offset, size, low, high);
      this.#vm.state.space.touch(slot.userspace_addr + offset);
      this.#vm.mark_page_dirty_in_slot(slot, page, this.#vcpu);
      return true;
    }
    const state = slot.pages[page];
    if (state !== PageState.DIRTY) {
      const { pmlEntries } = this.#vm.state.rules;
      if (state !== PageState.CLEAN || pmlEntries === 0) return this.#fault(slot, page);
      // The page is writable. The processor sets its dirty bit and logs it, whether its slot is
      // logged or not.
      if (this.#vm.isLogging) {
        if (this.#pml.length >= pmlEntries) return this.#leave("pml");
        this.#pml.push(slot.base_gfn + page);
      }
      slot.pages[page] = PageState.DIRTY;
    }
    write(found, offset, size, low, high);
    return true;
  }

  /**
   * `vmx_flush_pml_buffer`: moves the PML buffer to the ring. KVM does so at each exit, before it
   * handles the exit (`__vmx_handle_exit`).
   */
  flushPml(): void {
    if (this.#pml.length === 0) return;
    const noted = this.#pml.splice(0);
    if (!this.#vm.state.rules.pmlInOrder) noted.reverse();
    for (const gfn of noted) {
      const slot = this.#vm.slots.find(gfn);
      if (slot === undefined) continue;
      this.#vm.mark_page_dirty_in_slot(slot, gfn - slot.base_gfn, this.#vcpu);
    }
  }

  // The vCPU leaves the guest, so that KVM can map the page.
  #fault(slot: MemorySlot, page: number): boolean {
    this.#faulted = { slot, page };
    return this.#leave("fault");
  }

  /** Maps the page of the last fault: `kvm_mmu_page_fault`. */
  handleFault(): void {
    if (this.#faulted === null) throw new TypeError("Cannot handle a fault that did not happen");
    const { slot, page } = this.#faulted;
    this.#faulted = null;
    this.#vm.mapPage(slot, page, this.#vcpu);
  }

  #device(address: number, size: number, isWrite: boolean, low: number, high: number): boolean {
    const { mmio } = this;
    if (
      this.isMmioAnswered && mmio?.address === address && mmio.size === size &&
      mmio.isWrite === isWrite
    ) {
      this.isMmioAnswered = false;
      this.low = mmio.low;
      this.high = mmio.high;
      return true;
    }
    this.mmio = { address, size, isWrite, low, high };
    this.isMmioAnswered = false;
    this.#vm.noteDevice(Math.floor(address / PAGE_SIZE));
    return this.#leave("mmio");
  }

  #leave(event: MemoryEvent): false {
    this.event = event;
    return false;
  }

  #find(address: number): SlotView {
    const slot = this.#vm.slots.find(Math.floor(address / PAGE_SIZE));
    if (slot === undefined) return NOWHERE;
    const memory = slotMemory(this.#vm.state.space, slot);
    const first = slot.base_gfn * PAGE_SIZE;
    const { buffer, byteOffset, length } = memory;
    return {
      slot,
      first,
      end: first + slot.npages * PAGE_SIZE,
      words: new Uint32Array(buffer, byteOffset, length / 4),
      view: new DataView(buffer, byteOffset, length),
    };
  }
}

function write(found: SlotView, offset: number, size: number, low: number, high: number): void {
  if ((offset & 3) === 0 && size >= 4) {
    const at = offset < SAFE_SHIFT ? offset >>> 2 : offset / 4;
    found.words[at] = low;
    if (size === 8) found.words[at + 1] = high;
    return;
  }
  for (let n = 0; n < size; n++) {
    found.view.setUint8(offset + n, (n < 4 ? low >>> (8 * n) : high >>> (8 * (n - 4))) & 0xff);
  }
}
