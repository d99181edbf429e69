/** What an instruction does: a number for each kind that the processor has, so that a switch is a jump. */
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
  /** Operation in its group: of arithmetic, a condition of a jump, the form of a loop. */
  readonly op: number;
  /** The register operand, or the other one where both are registers. */
  readonly reg: number;
  /** Whether the register operand is the destination. */
  readonly isLoad: boolean;
  /** The register that ModRM names, or -1 where it names memory. */
  readonly rm: number;
  /** Base register of a memory operand; -1 for none, -2 for rip. */
  readonly base: number;
  /** Index register of a memory operand; -1 for none. */
  readonly index: number;
  /** What the index is multiplied with. */
  readonly scale: number;
  /** Displacement of a memory operand, or of a jump, signed. */
  readonly displacement: number;
  /** The segment of a memory operand: its place among es, cs, ss, ds, fs, gs. */
  readonly segment: number;
  /** Immediate operand, low word. */
  readonly low: number;
  /** Its high word: sign-extended. */
  readonly high: number;
  /** Whether `rep` stands before it. */
  readonly repeats: boolean;
  /** Whether an 8-bit register operand may be ah, ch, dh or bh: there is no REX prefix. */
  readonly hasHighBytes: boolean;
}
