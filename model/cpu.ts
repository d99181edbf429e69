import { Alu, ARITHMETIC_FLAGS, Flag, holds } from "./alu.ts";
import { type Instruction, Kind, Segment } from "./decode.ts";
import { Fetcher } from "./fetcher.ts";
import { type CpuMemory, LinearMemory } from "./linear_memory.ts";
import { Registers } from "./registers.ts";

/** Why the processor stopped. */
export type CpuStop =
  /** It executed as many instructions as the caller allowed. */
  | "limit"
  /** A memory access answered false: the instruction is not complete and has to run again. */
  | "memory"
  /** It executed HLT. */
  | "hlt"
  /** It executed OUT: see {@linkcode Cpu.port}, {@linkcode Cpu.ioSize}, {@linkcode Cpu.ioValue}. */
  | "out"
  /** It executed IN: {@linkcode Cpu.answerInput} completes it. */
  | "in"
  /** The next instruction is not implemented. */
  | "unknown"
  /** An exception: the model delivers none, so it is a triple fault. */
  | "shutdown";

const WORD = 2 ** 32;
const AX = 0;
const CX = 1;
const DX = 2;
const DI = 7;
const IOPL_SHIFT = 12;
const NONE = -1;
const RIP = -2;

/**
 * An interpreter for an x86 processor in real mode or 64-bit mode. It knows the instructions that
 * this program's guests use and their close relatives. No interrupts; an exception is a triple
 * fault.
 */
export class Cpu {
  readonly #registers = new Registers();
  readonly #linear: LinearMemory;
  readonly #fetcher: Fetcher;
  readonly #alu = new Alu();
  // Why the instruction in progress stops the processor; "limit" while it does not.
  #stop: CpuStop = "limit";
  // The last operand read.
  #low = 0;
  #high = 0;
  // The offset of the last memory operand, all 64 bits of it.
  #offsetLow = 0;
  #offsetHigh = 0;
  /** Instructions that the last run executed. */
  executed = 0;
  /** The port of the last IN or OUT. */
  port = 0;
  /** Bytes that it transfers: 1, 2 or 4. */
  ioSize = 0;
  /** The value that OUT wrote. */
  ioValue = 0;

  /** Makes a processor in its state after a reset, on guest physical memory. */
  constructor(memory: CpuMemory) {
    this.#fetcher = new Fetcher(memory);
    this.#linear = new LinearMemory(memory, this.#registers);
  }

  /** Whether it is in real mode. */
  get isRealMode(): boolean {
    return this.#registers.isRealMode;
  }

  /** Reads `struct kvm_regs`. */
  getRegs(bytes: Uint8Array<ArrayBuffer>): void {
    this.#registers.getRegs(bytes);
  }

  /** Writes `struct kvm_regs`. */
  setRegs(bytes: Uint8Array<ArrayBuffer>): void {
    this.#registers.setRegs(bytes);
  }

  /** Reads `struct kvm_sregs`. */
  getSregs(bytes: Uint8Array<ArrayBuffer>): void {
    this.#registers.getSregs(bytes);
  }

  /** Writes `struct kvm_sregs` and drops cached translations. */
  setSregs(bytes: Uint8Array<ArrayBuffer>): void {
    this.#registers.setSregs(bytes);
    this.#linear.flush();
  }

  /**
   * Completes an IN with the value that the port answered.
   *
   * @param size Bytes of the value: 1, 2 or 4.
   */
  answerInput(size: number, value: number): void {
    this.#registers.set(AX, size, value, 0);
  }

  /** Has to precede a run if memory, and so the guest's code, may have changed since the last. */
  begin(): void {
    this.#fetcher.begin();
    this.#linear.begin();
  }

  /**
   * Runs until something stops it.
   *
   * @param limit The most instructions to execute.
   * @returns What stopped it.
   */
  run(limit: number): CpuStop {
    this.executed = 0;
    this.#stop = "limit";
    const registers = this.#registers;
    const { isLong } = registers;
    if (!registers.isRealMode && !isLong) return "unknown";
    while (this.executed < limit) {
      const address = this.#linear.codeAddress(registers.rip);
      if (address < 0) return this.#linear.isShutdown ? "shutdown" : "memory";
      const instruction = this.#fetcher.kept(address, isLong) ??
        this.#fetcher.fetch(address, isLong, this.#byteAfter);
      if (instruction === "memory") return this.#linear.isShutdown ? "shutdown" : "memory";
      if (instruction === "unknown") return "unknown";
      if (instruction.kind === Kind.NOP) {
        const count = Math.min(Math.max(instruction.op, 1), limit - this.executed);
        const rip = registers.rip + instruction.length - 1 + count;
        registers.rip = isLong ? rip : rip & 0xffff;
        this.executed += count;
        continue;
      }
      if (!this.#execute(instruction)) return this.#stop;
      this.executed++;
      if (this.#why !== "limit") return this.#why;
    }
    return "limit";
  }

  // The physical address of a later byte of the instruction, where that crosses into another page.
  readonly #byteAfter = (offset: number): number | null => {
    const next = this.#linear.codeAddress(this.#registers.rip + offset);
    return next < 0 ? null : next;
  };

  // A getter: TypeScript would narrow #stop to "limit", as it does not see that #execute() sets it.
  get #why(): CpuStop {
    return this.#stop;
  }

  // Executes an instruction. Answers false, with the registers unchanged, if that was not possible.
  #execute(one: Instruction): boolean {
    const registers = this.#registers;
    switch (one.kind) {
      case Kind.NOP:
        break;
      case Kind.MOV:
        if (one.isLoad) {
          if (!this.#readRm(one)) return false;
          this.#setRegister(one, one.reg, this.#low, this.#high);
        } else {
          this.#readRegister(one, one.reg);
          if (!this.#writeRm(one, this.#low, this.#high)) return false;
        }
        break;
      case Kind.MOV_IMMEDIATE:
        if (!this.#writeRm(one, one.low, one.high)) return false;
        break;
      case Kind.LEA:
        this.#offset(one);
        registers.set(one.reg, one.size, this.#offsetLow, this.#offsetHigh);
        break;
      case Kind.ALU:
      case Kind.ALU_IMMEDIATE:
        if (!this.#arithmetic(one)) return false;
        break;
      case Kind.TEST:
      case Kind.TEST_IMMEDIATE:
        if (!this.#test(one)) return false;
        break;
      case Kind.STEP:
        if (!this.#readRm(one)) return false;
        this.#alu.step(one.size, this.#low, this.#high, one.op === 0, registers.rflags & Flag.CF);
        if (!this.#writeBack(one, this.#alu.low, this.#alu.high)) return false;
        this.#takeFlags();
        break;
      case Kind.JUMP:
        return this.#jump(one);
      case Kind.JUMP_IF:
        if (holds(one.op, registers.rflags)) return this.#jump(one);
        break;
      case Kind.JUMP_COUNTED:
        if (this.#countAllows(one)) return this.#jump(one);
        break;
      case Kind.STOS:
        return this.#stos(one);
      case Kind.DIRECTION:
        registers.rflags = (registers.rflags & ~Flag.DF) | (one.op === 1 ? Flag.DF : 0);
        break;
      case Kind.IN:
      case Kind.OUT:
        return this.#io(one);
      case Kind.HLT:
        if (registers.cpl > 0) return this.#refuse("shutdown");
        this.#stop = "hlt";
        break;
    }
    registers.rip = this.#next(one);
    return true;
  }

  #next({ length, displacement }: Instruction, isJump = false): number {
    const { rip, isLong } = this.#registers;
    const next = rip + length + (isJump ? displacement : 0);
    return isLong ? next : next & 0xffff;
  }

  #jump(one: Instruction): boolean {
    this.#registers.rip = this.#next(one, true);
    return true;
  }

  #noAccess(): false {
    return this.#refuse(this.#linear.isShutdown ? "shutdown" : "memory");
  }

  #store(offset: number, size: number, segment: number, low: number, high: number): boolean {
    if (!this.#linear.store(offset, size, segment, low, high)) return this.#noAccess();
    this.#noteStore();
    return true;
  }

  #noteStore(): void {
    const { stored, storedFrom } = this.#linear;
    this.#fetcher.noteStore(stored);
    if (storedFrom !== stored) this.#fetcher.noteStore(storedFrom);
  }

  #refuse(stop: CpuStop): false {
    this.#stop = stop;
    return false;
  }

  #takeFlags(): void {
    const registers = this.#registers;
    registers.rflags = (registers.rflags & ~ARITHMETIC_FLAGS) | this.#alu.flags;
  }

  #arithmetic(one: Instruction): boolean {
    const alu = this.#alu;
    const carry = this.#registers.rflags & Flag.CF;
    let { low, high } = one;
    if (one.kind === Kind.ALU) {
      this.#readRegister(one, one.reg);
      low = this.#low;
      high = this.#high;
    }
    if (!this.#readRm(one)) return false;
    if (one.isLoad) alu.calculate(one.op, one.size, low, high, this.#low, this.#high, carry);
    else alu.calculate(one.op, one.size, this.#low, this.#high, mask(one.size, low), high, carry);
    if (one.op !== 7) {
      if (one.isLoad) this.#setRegister(one, one.reg, alu.low, alu.high);
      else if (!this.#writeBack(one, alu.low, alu.high)) return false;
    }
    this.#takeFlags();
    return true;
  }

  // TEST is AND without its result.
  #test(one: Instruction): boolean {
    let { low, high } = one;
    if (one.kind === Kind.TEST) {
      this.#readRegister(one, one.reg);
      low = this.#low;
      high = this.#high;
    }
    if (!this.#readRm(one)) return false;
    this.#alu.calculate(4, one.size, this.#low, this.#high, mask(one.size, low), high, 0);
    this.#takeFlags();
    return true;
  }

  // LOOPNE, LOOPE and LOOP count down first; JCXZ only looks at the count.
  #countAllows({ op, addressSize }: Instruction): boolean {
    const registers = this.#registers;
    if (op === 3) return registers.value(CX, addressSize) === 0;
    registers.addTo(CX, addressSize, -1);
    const isZero = (registers.rflags & Flag.ZF) !== 0;
    return registers.value(CX, addressSize) !== 0 && (op === 2 || isZero === (op === 1));
  }

  // Stores one element. With `rep`, rip stays at the instruction until the count is 0.
  #stos(one: Instruction): boolean {
    const registers = this.#registers;
    if (!one.repeats || registers.value(CX, one.addressSize) > 0) {
      const at = registers.value(DI, one.addressSize);
      if (!this.#store(at, one.size, Segment.ES, registers.low[AX]!, registers.high[AX]!)) {
        return false;
      }
      const isDown = (registers.rflags & Flag.DF) !== 0;
      registers.addTo(DI, one.addressSize, isDown ? -one.size : one.size);
      if (one.repeats) registers.addTo(CX, one.addressSize, -1);
    }
    const isDone = !one.repeats || registers.value(CX, one.addressSize) === 0;
    if (isDone) registers.rip = this.#next(one);
    return true;
  }

  #io(one: Instruction): boolean {
    const registers = this.#registers;
    if (registers.cpl > ((registers.rflags >>> IOPL_SHIFT) & 3)) return this.#refuse("shutdown");
    this.port = one.low === -1 ? registers.low[DX]! & 0xffff : one.low;
    this.ioSize = one.size;
    this.ioValue = registers.value(AX, one.size);
    this.#stop = one.kind === Kind.IN ? "in" : "out";
    registers.rip = this.#next(one);
    return true;
  }

  #readRegister(one: Instruction, register: number): void {
    const { low, high } = this.#registers;
    if (one.size === 1 && one.hasHighBytes && register >= 4) {
      this.#low = (low[register - 4]! >>> 8) & 0xff; // ah, ch, dh, bh
    } else this.#low = mask(one.size, low[register]!);
    this.#high = one.size === 8 ? high[register]! : 0;
  }

  #setRegister(one: Instruction, register: number, low: number, high: number): void {
    if (one.size === 1 && one.hasHighBytes && register >= 4) {
      const words = this.#registers.low;
      words[register - 4] = (words[register - 4]! & ~0xff00) | ((low & 0xff) << 8);
    } else this.#registers.set(register, one.size, low, high);
  }

  // Reads the operand that the ModRM byte names.
  #readRm(one: Instruction): boolean {
    if (one.rm !== NONE) {
      this.#readRegister(one, one.rm);
      return true;
    }
    if (!this.#linear.load(this.#offset(one), one.size, one.segment)) return this.#noAccess();
    this.#low = this.#linear.low;
    this.#high = this.#linear.high;
    return true;
  }

  #writeRm(one: Instruction, low: number, high: number): boolean {
    if (one.rm !== NONE) {
      this.#setRegister(one, one.rm, low, high);
      return true;
    }
    return this.#store(this.#offset(one), one.size, one.segment, low, high);
  }

  // Writes to the operand that was just read.
  #writeBack(one: Instruction, low: number, high: number): boolean {
    if (one.rm !== NONE) {
      this.#setRegister(one, one.rm, low, high);
      return true;
    }
    const offset = this.#offset(one);
    if (!this.#linear.storeBack(offset, one.size, one.segment, low, high)) return this.#noAccess();
    this.#noteStore();
    return true;
  }

  // The offset of a memory operand in its segment. As a number it is exact for every address at
  // which there can be memory.
  #offset(one: Instruction): number {
    const { low, high, rip } = this.#registers;
    const { base, index, scale, addressSize, displacement } = one;
    let sumLow = displacement >>> 0;
    let sumHigh = displacement < 0 ? WORD - 1 : 0;
    if (base === RIP) {
      sumLow += (rip + one.length) >>> 0;
      sumHigh += Math.floor((rip + one.length) / WORD);
    } else if (base !== NONE) {
      sumLow += low[base]!;
      sumHigh += high[base]!;
    }
    if (index !== NONE) {
      sumLow += low[index]! * scale;
      sumHigh += high[index]! * scale;
    }
    this.#offsetLow = addressSize === 2 ? sumLow & 0xffff : sumLow >>> 0;
    this.#offsetHigh = addressSize === 8 ? (sumHigh + Math.floor(sumLow / WORD)) >>> 0 : 0;
    return this.#offsetHigh * WORD + this.#offsetLow;
  }
}

function mask(size: number, low: number): number {
  return size === 1 ? low & 0xff : size === 2 ? low & 0xffff : low;
}
