import { kvm_regs, kvm_segment, kvm_sregs, type Register } from "../ffi/kvm_structs.ts";

/** General registers, numbered as instructions encode them. */
const ORDER: readonly Register[] = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];
const WORD = 2 ** 32;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const CR0_PE = 1;
const CR0_PG = 0x8000_0000;
const EFER_LMA = 0x400;

// Registers that are not 0 after a reset: `kvm_vcpu_reset`, arch/x86/kvm/x86.c.
const RESET_RIP = 0xfff0;
const RESET_RDX = 0x600;
const RESET_CR0 = 0x6000_0010n;
const RESET_APIC_BASE = 0xfee0_0900n;

/** The processor's registers, in the form of KVM's ioctls and in the form that instructions use. */
export class Registers {
  /** Low words of the general registers, by their number in instructions. */
  readonly low: Uint32Array<ArrayBuffer> = new Uint32Array(16);
  /** High words of the general registers, by their number in instructions. */
  readonly high: Uint32Array<ArrayBuffer> = new Uint32Array(16);
  /** The instruction pointer, signed. */
  rip: number = RESET_RIP;
  /** The flags; bit 1 is always set. */
  rflags = 2;
  // RIP as it was last set by the program: `rip` is a number and cannot hold all 64 bits.
  #givenRip = 0n;
  readonly #sregs: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(kvm_sregs.size));
  /** Bases of the segments, by their number in instructions. */
  readonly bases: Float64Array<ArrayBuffer> = new Float64Array(6);
  /** Limits of the segments: the last valid offset. */
  readonly limits: Float64Array<ArrayBuffer> = new Float64Array(6);
  /** Whether CR0.PE is clear. */
  isRealMode = true;
  /** Whether the processor runs 64-bit code with page tables. */
  isLong = false;
  /** The privilege level: 0 or 3. */
  cpl = 0;
  /** Physical address of the page-map level 4. */
  root = 0;

  /** Begins with the values of a vCPU after a reset. */
  constructor() {
    this.low[2] = RESET_RDX;
    const view = this.#sregs;
    SEGMENTS.forEach((name) => {
      const at = kvm_sregs.at[name];
      view.setUint32(at + kvm_segment.at.limit, 0xffff, true);
      view.setUint8(at + kvm_segment.at.type, name === "cs" ? 11 : 3);
      view.setUint8(at + kvm_segment.at.present, 1);
      view.setUint8(at + kvm_segment.at.s, 1);
    });
    view.setBigUint64(kvm_sregs.at.cs + kvm_segment.at.base, 0xffff_0000n, true);
    view.setUint16(kvm_sregs.at.cs + kvm_segment.at.selector, 0xf000, true);
    for (const [name, type] of [["tr", 11], ["ldt", 2]] as const) {
      const at = kvm_sregs.at[name];
      view.setUint32(at + kvm_segment.at.limit, 0xffff, true);
      view.setUint8(at + kvm_segment.at.type, type);
      view.setUint8(at + kvm_segment.at.present, 1);
    }
    for (const name of ["gdt", "idt"] as const) {
      view.setUint16(kvm_sregs.at[name] + 8, 0xffff, true);
    }
    view.setBigUint64(kvm_sregs.at.cr0, RESET_CR0, true);
    view.setBigUint64(kvm_sregs.at.apic_base, RESET_APIC_BASE, true);
    this.#derive();
  }

  /**
   * `KVM_GET_REGS`.
   *
   * @param bytes Receives a `struct kvm_regs`.
   */
  getRegs(bytes: Uint8Array<ArrayBuffer>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    ORDER.forEach((name, n) => {
      view.setUint32(kvm_regs.at[name], this.low[n]!, true);
      view.setUint32(kvm_regs.at[name] + 4, this.high[n]!, true);
    });
    const isAsGiven = this.rip === Number(this.#givenRip);
    view.setBigUint64(kvm_regs.at.rip, isAsGiven ? this.#givenRip : BigInt(this.rip), true);
    view.setBigUint64(kvm_regs.at.rflags, BigInt(this.rflags), true);
  }

  /**
   * `KVM_SET_REGS`.
   *
   * @param bytes A `struct kvm_regs`.
   */
  setRegs(bytes: Uint8Array<ArrayBuffer>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    ORDER.forEach((name, n) => {
      this.low[n] = view.getUint32(kvm_regs.at[name], true);
      this.high[n] = view.getUint32(kvm_regs.at[name] + 4, true);
    });
    this.#givenRip = view.getBigInt64(kvm_regs.at.rip, true);
    this.rip = Number(this.#givenRip);
    this.rflags = Number(view.getBigUint64(kvm_regs.at.rflags, true)) | 2; // bit 1 is always set
  }

  /**
   * `KVM_GET_SREGS`.
   *
   * @param bytes Receives a `struct kvm_sregs`.
   */
  getSregs(bytes: Uint8Array<ArrayBuffer>): void {
    bytes.set(new Uint8Array(this.#sregs.buffer));
  }

  /**
   * `KVM_SET_SREGS`.
   *
   * @param bytes A `struct kvm_sregs`.
   */
  setSregs(bytes: Uint8Array<ArrayBuffer>): void {
    new Uint8Array(this.#sregs.buffer).set(bytes.subarray(0, kvm_sregs.size));
    this.#derive();
  }

  /**
   * The value of a general register, unsigned. It is exact below 2^53.
   *
   * @param bytes How many of its low bytes to read: 1, 2, 4 or 8.
   */
  value(register: number, bytes: number): number {
    const low = this.low[register]!;
    if (bytes === 8) return low + this.high[register]! * WORD;
    return bytes === 4 ? low : bytes === 2 ? low & 0xffff : low & 0xff;
  }

  /**
   * Writes a general register, or its low part, as instructions do: 4 bytes clear the upper half, 1
   * and 2 leave the other bytes alone.
   *
   * @param bytes How many bytes to write: 1, 2, 4 or 8.
   */
  set(register: number, bytes: number, low: number, high: number): void {
    if (bytes >= 4) {
      this.low[register] = low;
      this.high[register] = bytes === 8 ? high : 0;
      return;
    }
    const mask = bytes === 2 ? 0xffff : 0xff;
    this.low[register] = (this.low[register]! & ~mask) | (low & mask);
  }

  /**
   * Adds a small number, which may be negative, to a general register or its low part.
   *
   * @param bytes How many bytes to write: 1, 2, 4 or 8.
   */
  addTo(register: number, bytes: number, by: number): void {
    const sum = this.low[register]! + by;
    const carry = sum < 0 ? -1 : sum >= WORD ? 1 : 0;
    this.set(register, bytes, sum >>> 0, (this.high[register]! + carry) >>> 0);
  }

  #derive(): void {
    const view = this.#sregs;
    const cr0 = view.getUint32(kvm_sregs.at.cr0, true);
    const efer = view.getUint32(kvm_sregs.at.efer, true);
    const { base, limit, l, dpl } = kvm_segment.at;
    this.isRealMode = (cr0 & CR0_PE) === 0;
    this.isLong = !this.isRealMode && (cr0 & CR0_PG) !== 0 && (efer & EFER_LMA) !== 0 &&
      view.getUint8(kvm_sregs.at.cs + l) === 1;
    this.cpl = this.isRealMode ? 0 : view.getUint8(kvm_sregs.at.ss + dpl);
    this.root = Number(view.getBigUint64(kvm_sregs.at.cr3, true) & 0xf_ffff_ffff_f000n);
    SEGMENTS.forEach((name, n) => {
      // In 64-bit mode only fs and gs have a base, and none has a limit.
      const isFlat = this.isLong && name !== "fs" && name !== "gs";
      const at = kvm_sregs.at[name];
      this.bases[n] = isFlat ? 0 : Number(view.getBigUint64(at + base, true));
      this.limits[n] = this.isLong ? Infinity : view.getUint32(at + limit, true);
    });
  }
}
