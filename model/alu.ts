// Integer arithmetic of the model's processor: results, flags, and the conditions that test them.

/** Bits of rflags. */
export const Flag = {
  CF: 1,
  PF: 4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  DF: 0x400,
  OF: 0x800,
} as const;

/** The flags that an arithmetic instruction sets. */
export const ARITHMETIC_FLAGS: number = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** The eight ALU operations, numbered as opcodes 00 to 3f and 80 to 83 encode them. */
export const AluOp = { ADD: 0, OR: 1, ADC: 2, SBB: 3, AND: 4, SUB: 5, XOR: 6, CMP: 7 } as const;

const PARITY = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1;
  return ones % 2 === 0 ? Flag.PF : 0;
});

const WORD = 2 ** 32;

/**
 * Integer arithmetic on operands of 1, 2, 4 or 8 bytes, held as two 32-bit words. The result is in
 * {@linkcode Alu.low} and {@linkcode Alu.high}, its flags in {@linkcode Alu.flags}.
 */
export class Alu {
  /** Low word of the result, unsigned. */
  low = 0;
  /** High word of the result; 0 unless the operands have 8 bytes. */
  high = 0;
  /** The arithmetic flags of the result. */
  flags = 0;

  /**
   * Computes `a op b`.
   *
   * @param op One of {@linkcode AluOp}.
   * @param size Bytes of the operands: 1, 2, 4 or 8.
   * @param carry The carry flag before: 0 or 1.
   */
  calculate(
    op: number,
    size: number,
    aLow: number,
    aHigh: number,
    bLow: number,
    bHigh: number,
    carry: number,
  ): void {
    switch (op) {
      case AluOp.ADD:
        return this.#add(size, aLow, aHigh, bLow, bHigh, 0);
      case AluOp.ADC:
        return this.#add(size, aLow, aHigh, bLow, bHigh, carry);
      case AluOp.SUB:
      case AluOp.CMP:
        return this.#subtract(size, aLow, aHigh, bLow, bHigh, 0);
      case AluOp.SBB:
        return this.#subtract(size, aLow, aHigh, bLow, bHigh, carry);
      case AluOp.AND:
        return this.#logic(size, aLow & bLow, aHigh & bHigh);
      case AluOp.OR:
        return this.#logic(size, aLow | bLow, aHigh | bHigh);
      default:
        return this.#logic(size, aLow ^ bLow, aHigh ^ bHigh);
    }
  }

  /**
   * INC or DEC: adds 1 or −1 and leaves the carry flag alone.
   *
   * @param size Bytes of the operand: 1, 2, 4 or 8.
   * @param isUp Whether 1 is added.
   * @param carry The carry flag before: 0 or 1.
   */
  step(size: number, low: number, high: number, isUp: boolean, carry: number): void {
    if (isUp) this.#add(size, low, high, 1, 0, 0);
    else this.#subtract(size, low, high, 1, 0, 0);
    this.flags = (this.flags & ~Flag.CF) | carry;
  }

  #add(size: number, aLow: number, aHigh: number, bLow: number, bHigh: number, c: number): void {
    const sum = aLow + bLow + c;
    if (size === 8) {
      const low = sum >>> 0;
      const highSum = aHigh + bHigh + (sum >= WORD ? 1 : 0);
      const high = highSum >>> 0;
      const overflow = (aHigh ^ high) & (bHigh ^ high);
      this.#set(8, low, high, highSum >= WORD, overflow < 0, aLow ^ bLow ^ low);
      return;
    }
    const low = truncate(size, sum);
    const overflow = ((aLow ^ low) & (bLow ^ low)) << (32 - size * 8);
    this.#set(size, low, 0, sum >= 2 ** (size * 8), overflow < 0, aLow ^ bLow ^ low);
  }

  #subtract(
    size: number,
    aLow: number,
    aHigh: number,
    bLow: number,
    bHigh: number,
    c: number,
  ): void {
    const difference = aLow - bLow - c;
    if (size === 8) {
      const low = difference >>> 0;
      const highDifference = aHigh - bHigh - (difference < 0 ? 1 : 0);
      const high = highDifference >>> 0;
      const overflow = (aHigh ^ bHigh) & (aHigh ^ high);
      this.#set(8, low, high, highDifference < 0, overflow < 0, aLow ^ bLow ^ low);
      return;
    }
    const low = truncate(size, difference);
    const overflow = ((aLow ^ bLow) & (aLow ^ low)) << (32 - size * 8);
    this.#set(size, low, 0, difference < 0, overflow < 0, aLow ^ bLow ^ low);
  }

  #logic(size: number, low: number, high: number): void {
    this.#set(size, truncate(size, low), size === 8 ? high >>> 0 : 0, false, false, 0);
  }

  #set(
    size: number,
    low: number,
    high: number,
    isCarry: boolean,
    isOverflow: boolean,
    aux: number,
  ): void {
    this.low = low;
    this.high = high;
    const sign = size === 8 ? high >>> 31 : (low >>> (size * 8 - 1)) & 1;
    this.flags = (isCarry ? Flag.CF : 0) | PARITY[low & 0xff]! | (aux & Flag.AF) |
      (low === 0 && high === 0 ? Flag.ZF : 0) | (sign === 1 ? Flag.SF : 0) |
      (isOverflow ? Flag.OF : 0);
  }
}

// The low 1, 2 or 4 bytes of a number that may be negative or one bit too wide; for 8 the low word.
function truncate(size: number, value: number): number {
  return size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value >>> 0;
}

/**
 * Whether the condition of a `Jcc` holds.
 *
 * @param condition The low 4 bits of the opcode.
 * @param flags rflags.
 */
export function holds(condition: number, flags: number): boolean {
  const isSet = (condition & 1) === 0;
  return tests(condition >>> 1, flags) === isSet;
}

function tests(condition: number, flags: number): boolean {
  const isLess = ((flags & Flag.SF) !== 0) !== ((flags & Flag.OF) !== 0);
  switch (condition) {
    case 0:
      return (flags & Flag.OF) !== 0;
    case 1:
      return (flags & Flag.CF) !== 0;
    case 2:
      return (flags & Flag.ZF) !== 0;
    case 3:
      return (flags & (Flag.CF | Flag.ZF)) !== 0;
    case 4:
      return (flags & Flag.SF) !== 0;
    case 5:
      return (flags & Flag.PF) !== 0;
    case 6:
      return isLess;
    default:
      return isLess || (flags & Flag.ZF) !== 0;
  }
}
