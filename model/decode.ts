// The decoder of the model's processor, from bytes to an Instruction.

/** Segment registers, numbered as instructions encode them. */
export const Segment = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;

/** Bytes of the longest x86 instruction. */
export const MAX_LENGTH = 15;

const OPERAND_SIZE = 0x66;
const ADDRESS_SIZE = 0x67;
const LOCK = 0xf0;
const REPNE = 0xf2;
const REP = 0xf3;
const SEGMENT_PREFIXES: ReadonlyMap<number, number> = new Map([
  [0x26, Segment.ES],
  [0x2e, Segment.CS],
  [0x36, Segment.SS],
  [0x3e, Segment.DS],
  [0x64, Segment.FS],
  [0x65, Segment.GS],
]);

// Base and index registers of 16-bit addressing, by the rm field: bx+si, bx+di, bp+si, bp+di, ...
const BASES_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEXES_16 = [6, 7, 6, 7, -1, -1, -1, -1];

// Reads an instruction's bytes in order. A RangeError means that the instruction is longer.
class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError("past the end");
    return byte;
  }

  signed(size: number): number {
    let value = 0;
    for (let n = 0; n < size; n++) value += this.byte() * 2 ** (8 * n);
    return value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
  }
}

/**
 * Decodes an instruction: those that this program's guests use, and their close relatives.
 *
 * @param bytes Its bytes and whatever follows them, 15 at most.
 * @param isLong Whether the processor is in 64-bit mode; otherwise it is in real mode.
 * @returns The instruction; `null` if it is not implemented; `"short"` if bytes are missing.
 */
export function decode(bytes: Uint8Array, isLong: boolean): Instruction | null | "short" {
  try {
    return new Decoder(new Reader(bytes), isLong).decode();
  } catch (error) {
    if (error instanceof RangeError) return "short";
    throw error;
  }
}

class Decoder {
  readonly #reader: Reader;
  readonly #isLong: boolean;
  #operandPrefix = false;
  #addressPrefix = false;
  #rep = 0;
  #isLocked = false;
  #segment: number | undefined;
  #rex = 0;

  constructor(reader: Reader, isLong: boolean) {
    this.#reader = reader;
    this.#isLong = isLong;
  }

  // LOCK is valid only before an instruction that reads, changes and writes memory.
  decode(): Instruction | null {
    const one = this.#instruction();
    if (one === null || !this.#isLocked) return one;
    const isArithmetic = (one.kind === Kind.ALU || one.kind === Kind.ALU_IMMEDIATE) && one.op !== 7;
    const changesRm = (isArithmetic && !one.isLoad) || one.kind === Kind.STEP;
    return changesRm && one.rm === -1 ? one : null;
  }

  #instruction(): Instruction | null {
    const opcode = this.#prefixes();
    if (opcode < 0x40 && (opcode & 7) < 6) return this.#arithmetic(opcode);
    if (opcode >= 0x70 && opcode <= 0x7f) return this.#jumpIf(opcode & 15, 1);
    if (opcode >= 0xb0 && opcode <= 0xbf) return this.#moveImmediate(opcode);
    if (!this.#isLong && opcode >= 0x40 && opcode <= 0x4f) {
      return this.#make(Kind.STEP, { op: (opcode >> 3) & 1, rm: opcode & 7 });
    }
    switch (opcode) {
      case 0x0f:
        return this.#twoBytes();
      case 0x80:
      case 0x81:
      case 0x83:
        return this.#group1(opcode);
      case 0x84:
      case 0x85:
        return this.#modrm(Kind.TEST, opcode, false);
      case 0x88:
      case 0x89:
        return this.#modrm(Kind.MOV, opcode, false);
      case 0x8a:
      case 0x8b:
        return this.#modrm(Kind.MOV, opcode, true);
      case 0x8d:
        return this.#lea(opcode);
      case 0x90:
        return this.#rep === 0 && this.#rex === 0 ? this.#make(Kind.NOP, {}) : null;
      case 0xa8:
      case 0xa9: {
        const size = this.#size(opcode);
        return this.#make(Kind.TEST_IMMEDIATE, { size, rm: 0, ...this.#immediate(size) });
      }
      case 0xaa:
      case 0xab:
        return this.#make(Kind.STOS, { size: this.#size(opcode), segment: Segment.ES });
      case 0xc6:
      case 0xc7:
        return this.#withImmediate(Kind.MOV_IMMEDIATE, opcode, [0]);
      case 0xe0:
      case 0xe1:
      case 0xe2:
      case 0xe3:
        return this.#make(Kind.JUMP_COUNTED, {
          op: opcode & 3,
          displacement: this.#reader.signed(1),
        });
      case 0xe4:
      case 0xe5:
      case 0xe6:
      case 0xe7:
        return this.#portImmediate(opcode);
      case 0xec:
      case 0xed:
      case 0xee:
      case 0xef:
        return this.#make((opcode & 2) === 0 ? Kind.IN : Kind.OUT, {
          size: Math.min(this.#size(opcode), 4),
          low: -1,
        });
      case 0xe9:
        return this.#make(Kind.JUMP, { displacement: this.#reader.signed(this.#immediateSize()) });
      case 0xeb:
        return this.#make(Kind.JUMP, { displacement: this.#reader.signed(1) });
      case 0xf4:
        return this.#make(Kind.HLT, {});
      case 0xf6:
      case 0xf7:
        return this.#withImmediate(Kind.TEST_IMMEDIATE, opcode, [0, 1]);
      case 0xfc:
      case 0xfd:
        return this.#make(Kind.DIRECTION, { op: opcode & 1 });
      case 0xfe:
      case 0xff: {
        const form = this.#modrm(Kind.STEP, opcode, false);
        return form.reg > 1 ? null : { ...form, op: form.reg };
      }
      default:
        return null;
    }
  }

  #prefixes(): number {
    for (;;) {
      const byte = this.#reader.byte();
      const segment = SEGMENT_PREFIXES.get(byte);
      if (segment !== undefined) this.#segment = segment;
      else if (byte === OPERAND_SIZE) this.#operandPrefix = true;
      else if (byte === ADDRESS_SIZE) this.#addressPrefix = true;
      else if (byte === REP || byte === REPNE) this.#rep = byte;
      else if (byte === LOCK) this.#isLocked = true;
      else {
        if (!this.#isLong || (byte & 0xf0) !== 0x40) return byte;
        this.#rex = byte;
        return this.#reader.byte(); // a REX prefix stands right before the opcode
      }
    }
  }

  // Operand bytes: 1 if the opcode's lowest bit is clear, otherwise the current operand size.
  #size(opcode: number): number {
    if ((opcode & 1) === 0) return 1;
    if ((this.#rex & 8) !== 0) return 8;
    return this.#isLong === this.#operandPrefix ? 2 : 4;
  }

  #addressSize(): number {
    if (this.#isLong) return this.#addressPrefix ? 4 : 8;
    return this.#addressPrefix ? 4 : 2;
  }

  // Bytes of a near jump's displacement: never more than 4.
  #immediateSize(): number {
    return this.#isLong ? 4 : this.#operandPrefix ? 4 : 2;
  }

  #immediate(size: number): { low: number; high: number } {
    const value = this.#reader.signed(Math.min(size, 4));
    return { low: value >>> 0, high: value < 0 ? 0xffff_ffff : 0 };
  }

  #make(kind: number, fields: Partial<Instruction>): Instruction {
    return {
      kind,
      size: this.#isLong === this.#operandPrefix ? 2 : 4,
      addressSize: this.#addressSize(),
      op: 0,
      reg: 0,
      isLoad: false,
      rm: -1,
      base: -1,
      index: -1,
      scale: 1,
      displacement: 0,
      segment: this.#segment ?? Segment.DS,
      low: 0,
      high: 0,
      repeats: this.#rep !== 0,
      hasHighBytes: this.#rex === 0,
      ...fields,
      length: this.#reader.at,
    };
  }

  #arithmetic(opcode: number): Instruction {
    const op = opcode >> 3;
    const form = opcode & 7;
    if (form < 4) return { ...this.#modrm(Kind.ALU, opcode, form >= 2), op };
    const size = this.#size(opcode);
    return this.#make(Kind.ALU_IMMEDIATE, { op, size, rm: 0, ...this.#immediate(size) });
  }

  #group1(opcode: number): Instruction {
    const form = this.#modrm(Kind.ALU_IMMEDIATE, opcode, false);
    const immediate = this.#immediate(opcode === 0x83 ? 1 : form.size);
    return { ...form, ...immediate, op: form.reg, length: this.#reader.at };
  }

  #withImmediate(kind: number, opcode: number, forms: readonly number[]): Instruction | null {
    const form = this.#modrm(kind, opcode, false);
    if (!forms.includes(form.reg)) return null;
    return { ...form, ...this.#immediate(form.size), length: this.#reader.at };
  }

  #moveImmediate(opcode: number): Instruction {
    const size = this.#size(opcode < 0xb8 ? 0 : 1);
    const rm = (opcode & 7) | ((this.#rex & 1) << 3);
    const { low, high } = this.#immediate(size);
    if (size < 8) return this.#make(Kind.MOV_IMMEDIATE, { size, rm, low, high });
    const wide = this.#reader.signed(4) >>> 0;
    return this.#make(Kind.MOV_IMMEDIATE, { size, rm, low, high: wide });
  }

  #jumpIf(condition: number, bytes: number): Instruction {
    return this.#make(Kind.JUMP_IF, { op: condition, displacement: this.#reader.signed(bytes) });
  }

  #twoBytes(): Instruction | null {
    const opcode = this.#reader.byte();
    if (opcode >= 0x80 && opcode <= 0x8f) return this.#jumpIf(opcode & 15, this.#immediateSize());
    return null;
  }

  #portImmediate(opcode: number): Instruction {
    return this.#make((opcode & 2) === 0 ? Kind.IN : Kind.OUT, {
      size: Math.min(this.#size(opcode), 4),
      low: this.#reader.byte(),
    });
  }

  #lea(opcode: number): Instruction | null {
    const form = this.#modrm(Kind.LEA, opcode, true);
    return form.rm === -1 ? form : null;
  }

  // An instruction with a ModRM byte: one operand is a register, the other a register or memory.
  #modrm(kind: number, opcode: number, isLoad: boolean): Instruction {
    const byte = this.#reader.byte();
    const mode = byte >> 6;
    const isGroup = kind === Kind.ALU_IMMEDIATE || kind === Kind.MOV_IMMEDIATE ||
      kind === Kind.STEP ||
      kind === Kind.TEST_IMMEDIATE;
    const reg = ((byte >> 3) & 7) | (isGroup ? 0 : (this.#rex & 4) << 1);
    const fields = { size: this.#size(opcode), isLoad, reg };
    if (mode === 3) {
      return this.#make(kind, { ...fields, rm: (byte & 7) | ((this.#rex & 1) << 3) });
    }
    const memory = this.#addressSize() === 2
      ? this.#memory16(mode, byte & 7)
      : this.#memory(mode, byte & 7);
    return this.#make(kind, { ...fields, ...memory });
  }

  #memory16(mode: number, rm: number): Partial<Instruction> {
    if (mode === 0 && rm === 6) {
      return { displacement: this.#reader.signed(2), ...this.#inSegment(-1) };
    }
    const base = BASES_16[rm]!;
    const displacement = mode === 0 ? 0 : this.#reader.signed(mode);
    return { base, index: INDEXES_16[rm]!, displacement, ...this.#inSegment(base) };
  }

  #memory(mode: number, rm: number): Partial<Instruction> {
    let base = rm | ((this.#rex & 1) << 3);
    let index = -1;
    let scale = 1;
    let hasBase = !(mode === 0 && rm === 5);
    if (rm === 4) {
      const sib = this.#reader.byte();
      scale = 1 << (sib >> 6);
      index = ((sib >> 3) & 7) | ((this.#rex & 2) << 2);
      if (index === 4) index = -1;
      base = (sib & 7) | ((this.#rex & 1) << 3);
      hasBase = !(mode === 0 && (sib & 7) === 5);
    }
    const bytes = mode === 1 ? 1 : mode === 2 || !hasBase ? 4 : 0;
    const displacement = bytes === 0 ? 0 : this.#reader.signed(bytes);
    const isRipRelative = !hasBase && rm === 5 && this.#isLong;
    const register = isRipRelative ? -2 : hasBase ? base : -1;
    return { base: register, index, scale, displacement, ...this.#inSegment(register) };
  }

  // Addresses based on the stack pointer or the frame pointer are in the stack segment by default.
  #inSegment(base: number): { segment: number } {
    return { segment: this.#segment ?? (base === 4 || base === 5 ? Segment.SS : Segment.DS) };
  }
}

/** What an instruction does. Small numbers, so that a switch over them compiles to a jump table. */
export const Kind = {
  NOP: 0,
  MOV: 1,
  MOV_IMMEDIATE: 2,
  LEA: 3,
  ALU: 4,
  ALU_IMMEDIATE: 5,
  TEST: 6,
  TEST_IMMEDIATE: 7,
  STEP: 8,
  JUMP: 9,
  JUMP_IF: 10,
  JUMP_COUNTED: 11,
  STOS: 12,
  DIRECTION: 13,
  OUT: 14,
  IN: 15,
  HLT: 16,
} as const;

/** An instruction, decoded. */
export interface Instruction {
  /** What it does: one of {@linkcode Kind}. */
  readonly kind: number;
  /** Its length in bytes. */
  readonly length: number;
  /** Bytes of its operands: 1, 2, 4 or 8. */
  readonly size: number;
  /** Bytes of an address: 2, 4 or 8. */
  readonly addressSize: number;
  /** The variant: an {@linkcode AluOp}, a condition of `Jcc`, a form of LOOP; for NOP, how many. */
  readonly op: number;
  /** The register operand, or the other one where both are registers. */
  readonly reg: number;
  /** Whether `reg` is the destination; otherwise ModRM's operand is. */
  readonly isLoad: boolean;
  /** The register that ModRM names, or -1 where it names memory. */
  readonly rm: number;
  /** Base register of a memory operand; -1 for none, -2 for rip. */
  readonly base: number;
  /** Index register of a memory operand; -1 for none. */
  readonly index: number;
  /** The factor of the index: 1, 2, 4 or 8. */
  readonly scale: number;
  /** Displacement of a memory operand, or of a jump, signed. */
  readonly displacement: number;
  /** The segment of a memory operand: one of {@linkcode Segment}. */
  readonly segment: number;
  /** Immediate operand, low word; the port of IN and OUT, or -1 where DX holds it. */
  readonly low: number;
  /** High word of the immediate operand, sign-extended. */
  readonly high: number;
  /** Whether it has a `rep` or `repne` prefix. */
  readonly repeats: boolean;
  /** Whether 8-bit registers 4 to 7 are ah, ch, dh and bh, as they are without a REX prefix. */
  readonly hasHighBytes: boolean;
}
