import { ERRNO } from "../ffi/errors.ts";
import {
  KVM_DIRTY_LOG_PAGE_OFFSET,
  KVM_EXIT_DIRTY_RING_FULL,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
} from "../ffi/kvm_constants.ts";
import { kvm_run } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { Cpu } from "./cpu.ts";
import { type DirtyRing, kvm_dirty_ring_alloc, kvm_dirty_ring_soft_full } from "./dirty_ring.ts";
import { GuestMemory } from "./guest_memory.ts";
import { INSTRUCTION_NS } from "./signals.ts";
import type { Backing } from "./slots.ts";
import type { LoggedVcpu, ModelVm } from "./vm.ts";

const KVM_EXIT_MMIO = 6;
const KVM_EXIT_SHUTDOWN = 8;
const KVM_EXIT_INTR = 10;
const KVM_EXIT_INTERNAL_ERROR = 17;
const KVM_INTERNAL_ERROR_EMULATION = 1;

/** Pages of `kvm_run`: the struct, port data, and the ring of coalesced MMIO. */
export const RUN_PAGES = 3;
/** Offset of the data of `in` and `out` in these pages. */
const PIO_OFFSET = PAGE_SIZE;
/**
 * Instructions between two checks for signals in native execution, where a timer tick would exit.
 */
const NATIVE_BATCH = 1 << 16;

/** `struct kvm_vcpu`: registers, the page that it shares with the program, and the ring. */
export class ModelVcpu implements LoggedVcpu {
  readonly #vm: ModelVm;
  readonly #memory: GuestMemory;
  readonly #run: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(RUN_PAGES * PAGE_SIZE));
  // Bytes of the `in` that waits for the program's answer; 0 if none does.
  #awaitedInput = 0;
  /** The processor. */
  readonly cpu: Cpu;
  /** The vCPU's id. */
  readonly id: number;
  /** Its file descriptor, which it keeps after a close. */
  fd: number = -1;
  /** Its ring; `null` with the ring off. */
  readonly ring: DirtyRing | null;
  /** Whether its CPUID has long mode. */
  hasLongMode = false;
  /** Whether a push requested an exit for a full ring (`KVM_REQ_DIRTY_RING_SOFT_FULL`). */
  requestsFullExit = false;
  /** The signals that are blocked while it runs; `null` for the thread's own mask. */
  sigset: bigint | null = null;

  /** Makes a vCPU and, if the VM has the ring enabled, its ring. */
  constructor(vm: ModelVm, id: number) {
    this.#vm = vm;
    this.id = id;
    this.#memory = new GuestMemory(vm, this);
    this.cpu = new Cpu(this.#memory);
    this.ring = vm.dirty_ring_size === 0
      ? null
      : kvm_dirty_ring_alloc(vm.state.rules, vm.dirty_ring_size);
  }

  /**
   * The memory of the vCPU's file: `kvm_run`, then a hole, then the ring.
   *
   * @param page The first page of the mapping.
   */
  backing(page: number): Backing {
    const run = new Uint8Array(this.#run.buffer);
    const ring = this.ring === null ? null : new Uint8Array(this.ring.dirty_gfns.buffer);
    return {
      at(offset) {
        const at = page * PAGE_SIZE + offset;
        if (at < run.length) return run.subarray(at);
        const inRing = at - KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE;
        return ring !== null && inRing >= 0 && inRing < ring.length ? ring.subarray(inRing) : null;
      },
    };
  }

  /**
   * `KVM_RUN`: runs the guest until it exits.
   *
   * @param limit The most instructions to execute; then the answer is -EAGAIN.
   * @returns 0 with the exit reason in `kvm_run`, or minus an errno.
   */
  run(limit: number): number {
    this.#completeExit();
    if (this.#run.getUint8(kvm_run.at.immediate_exit) !== 0) return -ERRNO.EINTR;
    const { signals, rules } = this.#vm.state;
    const blocked = this.sigset ?? signals.mask;
    const emulates = rules.emulationBatch > 0 && this.cpu.isRealMode;
    this.#memory.begin(emulates);
    this.cpu.begin();
    let left = limit;
    for (;;) {
      if (this.#isRingFull()) return this.#exit(KVM_EXIT_DIRTY_RING_FULL);
      if (signals.isPending(blocked)) {
        this.#exit(KVM_EXIT_INTR);
        return -ERRNO.EINTR;
      }
      if (left <= 0) return -ERRNO.EAGAIN;
      const stop = this.cpu.run(Math.min(left, emulates ? rules.emulationBatch : NATIVE_BATCH));
      left -= this.cpu.executed;
      signals.advance(this.cpu.executed * INSTRUCTION_NS);
      this.#memory.flushPml();
      const answer = this.#handle(stop);
      if (answer !== null) return answer;
    }
  }

  // Handles what stopped the guest. Returns the answer of KVM_RUN, or null if the guest goes on.
  #handle(stop: ReturnType<Cpu["run"]>): number | null {
    switch (stop) {
      case "limit":
        return null;
      case "memory":
        return this.#handleMemory();
      case "hlt":
        return this.#exit(KVM_EXIT_HLT);
      case "out":
      case "in":
        return this.#exitIo(stop);
      case "shutdown":
        return this.#exit(KVM_EXIT_SHUTDOWN);
      case "unknown":
        return this.#exitUnknown();
    }
  }

  #handleMemory(): number | null {
    const memory = this.#memory;
    switch (memory.event) {
      case "fault":
        memory.handleFault();
        return null;
      case "pml":
        return null;
      case "efault":
        return -ERRNO.EFAULT;
      case "mmio":
        return this.#exitMmio();
    }
  }

  // `kvm_dirty_ring_check_request`; before v6.2 the ring is checked without a request.
  #isRingFull(): boolean {
    const { ring } = this;
    if (ring === null || !kvm_dirty_ring_soft_full(ring)) return false;
    return this.requestsFullExit || !this.#vm.state.rules.fullByRequest;
  }

  #exit(reason: number): number {
    this.#run.setUint32(kvm_run.at.exit_reason, reason, true);
    return 0;
  }

  #exitIo(direction: "in" | "out"): number {
    const { port, ioSize, ioValue } = this.cpu;
    const at = kvm_run.at.exit;
    this.#run.setUint8(at, direction === "out" ? 1 : 0);
    this.#run.setUint8(at + 1, ioSize);
    this.#run.setUint16(at + 2, port, true);
    this.#run.setUint32(at + 4, 1, true); // count
    this.#run.setBigUint64(at + 8, BigInt(PIO_OFFSET), true);
    this.#run.setUint32(PIO_OFFSET, direction === "out" ? ioValue : 0, true);
    this.#awaitedInput = direction === "in" ? ioSize : 0;
    return this.#exit(KVM_EXIT_IO);
  }

  #exitMmio(): number {
    const { mmio } = this.#memory;
    if (mmio === null) throw new TypeError("Cannot exit for a device that was not accessed");
    const at = kvm_run.at.exit;
    this.#run.setBigUint64(at, BigInt(mmio.address), true);
    this.#run.setUint32(at + 8, mmio.low, true);
    this.#run.setUint32(at + 12, mmio.high, true);
    this.#run.setUint32(at + 16, mmio.size, true);
    this.#run.setUint8(at + 20, mmio.isWrite ? 1 : 0);
    if (mmio.isWrite) {
      // A store is complete at the exit, so step over its instruction. Only a load waits for an
      // answer.
      this.#memory.isMmioAnswered = true;
      this.cpu.run(1);
      this.#memory.mmio = null;
    }
    return this.#exit(KVM_EXIT_MMIO);
  }

  #exitUnknown(): number {
    const at = kvm_run.at.exit;
    this.#run.setUint32(at, KVM_INTERNAL_ERROR_EMULATION, true);
    this.#run.setUint32(at + 4, 0, true); // ndata
    return this.#exit(KVM_EXIT_INTERNAL_ERROR);
  }

  // Takes the program's answer to the last exit.
  #completeExit(): void {
    if (this.#awaitedInput > 0) {
      const value = this.#run.getUint32(PIO_OFFSET, true);
      this.cpu.answerInput(this.#awaitedInput, value);
      this.#awaitedInput = 0;
    }
    const { mmio } = this.#memory;
    if (mmio !== null && !mmio.isWrite) {
      mmio.low = this.#run.getUint32(kvm_run.at.exit + 8, true);
      mmio.high = this.#run.getUint32(kvm_run.at.exit + 12, true);
      this.#memory.isMmioAnswered = true;
    }
  }
}
