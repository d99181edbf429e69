// The model's processor, against exact arithmetic, and against itself when it is disturbed.
import { assertEquals } from "@std/assert";
import { kvm_regs, kvm_sregs, type Register } from "../../ffi/kvm_structs.ts";
import type { Guest } from "../../guest/guest.ts";
import { long64 } from "../../guest/long64.ts";
import { seeded } from "../../guest/pattern.ts";
import { real16 } from "../../guest/real16.ts";
import { Alu } from "../../model/alu.ts";
import { Cpu, type CpuStop } from "../../model/cpu.ts";
import type { CpuMemory } from "../../model/linear_memory.ts";
import fc from "../support/fast_check.ts";

/** Flat memory that may refuse an access. */
class Flat implements CpuMemory {
  readonly bytes = new Uint8Array(1 << 20);
  readonly #view = new DataView(this.bytes.buffer);
  low = 0;
  high = 0;
  accesses = 0;
  refuses: (access: number) => boolean = () => false;

  fetch(address: number, size: number): boolean {
    return this.load(address, size);
  }

  load(address: number, size: number): boolean {
    if (this.refuses(this.accesses++)) return false;
    const wide = new Uint8Array(8);
    wide.set(this.bytes.subarray(address, address + size));
    this.low = new DataView(wide.buffer).getUint32(0, true);
    this.high = new DataView(wide.buffer).getUint32(4, true);
    return true;
  }

  store(address: number, size: number, low: number, high: number): boolean {
    if (this.refuses(this.accesses++)) return false;
    for (let n = 0; n < size; n++) {
      this.#view.setUint8(address + n, (n < 4 ? low >>> (8 * n) : high >>> (8 * (n - 4))) & 255);
    }
    return true;
  }
}

const STORES = 20;
const PAGES_AT = 0x60000;

// A guest's program over flat memory, with a list of pages to store to.
function program(guest: Guest): { cpu: Cpu; memory: Flat } {
  const memory = new Flat();
  guest.place(memory.bytes);
  const view = new DataView(memory.bytes.buffer);
  for (let n = 0; n < STORES; n++) {
    const page = PAGES_AT + ((n * 7) % 16) * 4096;
    view.setUint32(guest.listAt + n * guest.listElement, page, true);
  }
  const cpu = new Cpu(memory);
  const sregs = new Uint8Array(kvm_sregs.size);
  cpu.getSregs(sregs);
  guest.prepare(new DataView(sregs.buffer));
  cpu.setSregs(sregs);
  const errand = { list: guest.listAt, stores: STORES, value: 100, step: 2 };
  setRegisters(cpu, guest.begin(errand));
  return { cpu, memory };
}

function setRegisters(cpu: Cpu, values: Readonly<Partial<Record<Register, bigint>>>): void {
  const view = new DataView(new ArrayBuffer(kvm_regs.size));
  for (const [name, value] of Object.entries(values)) {
    view.setBigUint64(kvm_regs.at[name as Register], value, true);
  }
  cpu.setRegs(new Uint8Array(view.buffer));
}

function register(cpu: Cpu, name: Register): bigint {
  const bytes = new Uint8Array(kvm_regs.size);
  cpu.getRegs(bytes);
  return new DataView(bytes.buffer).getBigUint64(kvm_regs.at[name], true);
}

// What a program came to: its registers, and the first word of each page.
function state(cpu: Cpu, memory: Flat): string {
  const bytes = new Uint8Array(kvm_regs.size);
  cpu.getRegs(bytes);
  const words = new Uint32Array(memory.bytes.buffer);
  const pages = Array.from({ length: 16 }, (_, n) => words[(PAGES_AT + n * 4096) / 4]);
  return JSON.stringify([[...bytes], pages]);
}

function toEnd(cpu: Cpu, limit: (n: number) => number = () => Infinity): CpuStop {
  for (let n = 0;; n++) {
    cpu.begin();
    const stop = cpu.run(limit(n));
    if (stop !== "limit" && stop !== "memory") return stop;
  }
}

for (const guest of [real16, long64]) {
  const end = guest.exit === "KVM_EXIT_HLT" ? "hlt" : "out";

  Deno.test(`the model's processor runs ${guest.name}`, () => {
    const { cpu, memory } = program(guest);
    assertEquals(toEnd(cpu), end);
    const words = new Uint32Array(memory.bytes.buffer);
    const pages = Array.from({ length: 16 }, (_, n) => words[(PAGES_AT + n * 4096) / 4]);
    const expected = new Array(16).fill(0);
    for (let n = 0; n < STORES; n++) expected[(n * 7) % 16] = 100 + 2 * n;
    assertEquals(pages, expected);
    assertEquals(guest.remaining((name) => register(cpu, name)), 0);
    assertEquals(register(cpu, "rbx"), BigInt(100 + 2 * STORES));
  });

  Deno.test(`slices of ${guest.name} come to the same end as one run`, () => {
    const whole = program(guest);
    toEnd(whole.cpu);
    for (const seed of [1, 2, 3]) {
      const random = seeded(seed);
      const { cpu, memory } = program(guest);
      assertEquals(toEnd(cpu, () => 1 + random(9)), end);
      assertEquals(state(cpu, memory), state(whole.cpu, whole.memory));
    }
  });

  Deno.test(`an access of ${guest.name} that is refused once changes nothing`, () => {
    const whole = program(guest);
    toEnd(whole.cpu);
    for (let refused = 0; refused < whole.memory.accesses; refused++) {
      const { cpu, memory } = program(guest);
      memory.refuses = (access) => access === refused;
      cpu.begin();
      assertEquals(cpu.run(Infinity), "memory");
      assertEquals(toEnd(cpu), end);
      assertEquals(state(cpu, memory), state(whole.cpu, whole.memory));
    }
  });
}

// Long mode with the long64 guest's tables, at a code page of its own.
function longCode(code: readonly number[], regs: Partial<Record<Register, bigint>> = {}) {
  const { cpu, memory } = program(long64);
  memory.bytes.set(code, 0x50000);
  setRegisters(cpu, {
    ...long64.begin({ list: 0, stores: 0, value: 0, step: 0 }),
    rip: 0x50000n,
    ...regs,
  });
  cpu.begin();
  return { cpu, memory };
}

Deno.test("HLT at CPL 3, I/O without the privilege, and a page that is not there end in a shutdown", () => {
  assertEquals(longCode([0xf4]).cpu.run(1), "shutdown");
  assertEquals(longCode([0xe6, 0x10], { rflags: 2n }).cpu.run(1), "shutdown");
  assertEquals(longCode([0xe6, 0x10], { rflags: 0x3002n }).cpu.run(1), "out");
  for (const address of [2n ** 36n, 2n ** 47n, 2n ** 63n, 2n ** 64n - 8n]) {
    assertEquals(longCode([0x89, 0x18], { rax: address }).cpu.run(1), "shutdown");
  }
  const readOnly = longCode([0x89, 0x18], { rax: 0n });
  readOnly.memory.bytes[0x4000]! &= ~2; // the first page-directory entry, no longer writable
  assertEquals(readOnly.cpu.run(1), "shutdown");
});

Deno.test("an instruction that the processor does not have is unknown, and stays where it is", () => {
  for (const code of [[0x0f, 0xa2], [0xd9, 0xc0], [0x66, 0x0f, 0x6f, 0x00], [0xcd, 0x80]]) {
    const { cpu } = longCode(code);
    assertEquals([cpu.run(1), cpu.executed, register(cpu, "rip")], ["unknown", 0, 0x50000n]);
  }
});

Deno.test("code that is overwritten between runs, or by its own stores, is decoded anew", () => {
  const { cpu, memory } = longCode([0xff, 0xc0, 0xeb, 0xfc]); // inc eax; jmp
  cpu.run(10);
  assertEquals(register(cpu, "rax"), 5n);
  memory.bytes[0x50001] = 0xc8; // dec eax
  cpu.begin();
  cpu.run(6);
  assertEquals(register(cpu, "rax"), 2n);
  // mov byte [rbx], 0xc8, three bytes ahead of the inc eax that it turns into dec eax
  const own = longCode([0xff, 0xc0, 0xc6, 0x03, 0xc8, 0xeb, 0xf9], { rbx: 0x50001n });
  own.cpu.run(6);
  assertEquals(register(own.cpu, "rax"), 0n);
});

Deno.test("rep stos stores an element at a time and can be cut anywhere", () => {
  const whole = longCode([0xf3, 0xab, 0xe6, 0x10], { rdi: 0x60ffen, rcx: 5n, rax: 0x1234_5678n });
  assertEquals(toEnd(whole.cpu), "out");
  const cut = longCode([0xf3, 0xab, 0xe6, 0x10], { rdi: 0x60ffen, rcx: 5n, rax: 0x1234_5678n });
  assertEquals(toEnd(cut.cpu, () => 1), "out");
  for (const { cpu, memory } of [whole, cut]) {
    assertEquals([register(cpu, "rcx"), register(cpu, "rdi")], [0n, 0x61012n]);
    const stored = [...memory.bytes.subarray(0x60ffd, 0x61013)];
    assertEquals(stored, [0, ...new Array(5).fill([0x78, 0x56, 0x34, 0x12]).flat(), 0]);
  }
});

Deno.test("addresses are computed in all their 64 bits", () => {
  const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const near = fc.bigInt({ min: -16n, max: 16n }).map((n) => BigInt.asUintN(64, n));
  const value = fc.oneof(wide, near);
  const displacement = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(value, value, fc.nat(3), displacement, (rbx, rcx, shift, by) => {
      const bytes = [...new Uint8Array(Int32Array.of(by).buffer)];
      const exact = rbx + (rcx << BigInt(shift)) + BigInt(by);
      // lea r, [rbx + rcx * scale + by]: 64 bits, 32 bits, 64 bits of a 32-bit address
      for (const [prefix, bits] of [[[0x48], 64], [[], 32], [[0x67, 0x48], 32]] as const) {
        const code = [...prefix, 0x8d, 0x84, (shift << 6) | (1 << 3) | 3, ...bytes];
        const { cpu } = longCode(code, { rbx, rcx });
        assertEquals(cpu.run(1), "limit");
        assertEquals(register(cpu, "rax"), BigInt.asUintN(bits, exact));
      }
    }),
    { numRuns: 200 },
  );
  const negativeIndex = longCode([0x8b, 0x04, 0x0b], { rbx: 0x60008n, rcx: 2n ** 64n - 8n });
  assertEquals(negativeIndex.cpu.run(1), "limit"); // mov eax, [rbx + rcx]
});

Deno.test("a jump to where no code can be ends in a shutdown, and rip keeps what it was given", () => {
  const { cpu, memory } = longCode([0xe9, 0xf9, 0xff, 0xfa, 0xff]); // jmp to -2
  memory.bytes.fill(0x90, 0, 0x1000);
  assertEquals([cpu.run(10), register(cpu, "rip")], ["shutdown", 2n ** 64n - 2n]);
  for (const rip of [0xffff_ffff_8000_0001n, 0x8000_0000_0000_0001n, 0x7fff_ffff_ffff_ffffn]) {
    const far = longCode([], { rip });
    assertEquals([far.cpu.run(1), register(far.cpu, "rip")], ["shutdown", rip]);
  }
});

Deno.test("an access that crosses a page of linear addresses never reaches memory in one piece", () => {
  const memory = new Flat();
  const sizes: number[] = [];
  const load = memory.load.bind(memory);
  memory.load = (address, size) => {
    sizes.push(((address & 4095) + size > 4096) ? size : 0);
    return load(address, size);
  };
  memory.bytes.set([0x66, 0x8b, 0x07], 0x500); // mov eax, [bx]
  memory.bytes.set([1, 2, 3, 4], 0xffe);
  const cpu = new Cpu(memory);
  const sregs = new Uint8Array(kvm_sregs.size);
  cpu.getSregs(sregs);
  const view = new DataView(sregs.buffer);
  view.setBigUint64(kvm_sregs.at.cs, 0n, true);
  view.setBigUint64(kvm_sregs.at.ds, 0x10n, true); // so that offsets and addresses cross apart
  cpu.setSregs(sregs);
  setRegisters(cpu, { rip: 0x500n, rflags: 2n, rbx: 0xfeen });
  cpu.begin();
  assertEquals([cpu.run(1), register(cpu, "rax")], ["limit", 0x0403_0201n]);
  assertEquals(Math.max(...sizes), 0);
});

Deno.test("what reads, changes and writes across two pages is done once, wherever it is refused", () => {
  // add [rax], ebx; adc [rax], rbx; inc dword [rax]; out
  const code = [0x01, 0x18, 0x48, 0x11, 0x18, 0xff, 0x00, 0xe6, 0x10];
  const begin = () => longCode(code, { rax: 0x60ffdn, rbx: 0xffff_ffff_1111_1111n });
  const whole = begin();
  assertEquals(toEnd(whole.cpu), "out");
  for (let refused = 0; refused < whole.memory.accesses; refused++) {
    const { cpu, memory } = begin();
    memory.refuses = (access) => access === refused;
    assertEquals(cpu.run(Infinity), "memory");
    assertEquals(toEnd(cpu), "out");
    assertEquals(memory.bytes, whole.memory.bytes);
    assertEquals(register(cpu, "rflags"), register(whole.cpu, "rflags"));
  }
});

Deno.test("a store into the next page that also changes this page's code is seen", () => {
  // 0x50ff0: mov [rsi], rbx; nops; 0x50ffc: inc eax; jmp 0x50ff0. Page 0x51000 holds no code.
  const code = [0x48, 0x89, 0x1e, ...new Array(9).fill(0x90), 0xff, 0xc0, 0xeb, 0xf0];
  const { cpu, memory } = longCode([], { rip: 0x50ff0n, rsi: 0x60000n, rbx: 0xf0eb_c8ffn });
  memory.bytes.set(code, 0x50ff0);
  cpu.run(12);
  assertEquals(register(cpu, "rax"), 1n);
  setRegisters(cpu, { rflags: 2n, rip: 0x50ff0n, rsi: 0x50ffcn, rbx: 0xf0eb_c8ffn, rax: 1n });
  cpu.run(12); // the store has made it dec eax
  assertEquals(register(cpu, "rax"), 0n);
});

Deno.test("LOCK stands before what changes memory alone", () => {
  const stops = [[0xf0, 0x01, 0x18], [0xf0, 0xff, 0x00], [0xf0, 0x83, 0x00, 1]].map((code) =>
    longCode(code, { rax: 0x60000n }).cpu.run(1)
  );
  assertEquals(stops, ["limit", "limit", "limit"]);
  for (const code of [[0x89, 0xc0], [0x01, 0xd8], [0x03, 0x00], [0x39, 0x18], [0x8b, 0x00]]) {
    assertEquals(longCode([0xf0, ...code], { rax: 0x60000n }).cpu.run(1), "unknown");
  }
});

Deno.test("the model's arithmetic is that of integers, in all sizes", () => {
  const size = fc.constantFrom(1, 2, 4, 8);
  const wide = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 1n, 0x7fn, 0x80n, 0x7fff_ffffn, 0x8000_0000n, 2n ** 63n, 2n ** 64n - 1n),
  );
  const alu = new Alu();
  fc.assert(
    fc.property(fc.nat(7), size, wide, wide, fc.nat(1), (op, bytes, x, y, carry) => {
      const bits = bytes * 8;
      const a = BigInt.asUintN(bits, x);
      const b = BigInt.asUintN(bits, y);
      const c = op === 2 || op === 3 ? BigInt(carry) : 0n;
      const isSum = op === 0 || op === 2;
      const isDifference = op === 3 || op === 5 || op === 7;
      const exact = isSum
        ? a + b + c
        : isDifference
        ? a - b - c
        : op === 1
        ? a | b
        : op === 4
        ? a & b
        : a ^ b;
      const [sa, sb] = [BigInt.asIntN(bits, a), BigInt.asIntN(bits, b)];
      const signed = isSum ? sa + sb + c : isDifference ? sa - sb - c : BigInt.asIntN(bits, exact);
      const result = BigInt.asUintN(bits, exact);
      const words = (v: bigint): [number, number] => [Number(v & 0xffff_ffffn), Number(v >> 32n)];
      alu.calculate(op, bytes, ...words(a), ...words(b), carry);
      assertEquals((BigInt(alu.high) << 32n) | BigInt(alu.low), result);
      const ones = (result & 0xffn).toString(2).replaceAll("0", "").length;
      const half = isSum
        ? (a & 15n) + (b & 15n) + c > 15n
        : isDifference && (a & 15n) - (b & 15n) - c < 0n;
      const flags = (exact !== result ? 1 : 0) | (ones % 2 === 0 ? 4 : 0) | (half ? 0x10 : 0) |
        (result === 0n ? 0x40 : 0) | (BigInt.asIntN(bits, result) < 0n ? 0x80 : 0) |
        (BigInt.asIntN(bits, signed) !== signed ? 0x800 : 0);
      assertEquals(alu.flags, flags);
    }),
    { numRuns: 3000 },
  );
});
