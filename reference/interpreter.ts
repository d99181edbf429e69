// Measures the speed of the model's interpreter.
import { kvm_regs, kvm_sregs } from "../ffi/kvm_structs.ts";
import { nanosecondsSince, PAGE_SIZE } from "../ffi/linux.ts";
import type { Guest } from "../guest/guest.ts";
import { long64 } from "../guest/long64.ts";
import { real16 } from "../guest/real16.ts";
import { Cpu } from "../model/cpu.ts";
import type { CpuMemory } from "../model/linear_memory.ts";
import { quantile } from "../ring/distribution.ts";

const STORES = 50_000;
/** Pages that are stored to, in sequence: 16 MiB, more than the cached translations cover. */
const PAGES = 4096;
const TURNS = 41;
/** More than V8 needs to compile the loop for good. */
const WARM_UPS = 10;
const LEAST = 1e6;

/** The simplest possible memory, so that only the interpreter is measured. */
class FlatMemory implements CpuMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  low = 0;
  high = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  load(address: number, size: number): boolean {
    const view = this.#view;
    this.high = 0;
    if (size >= 4) {
      this.low = view.getUint32(address, true);
      if (size === 8) this.high = view.getUint32(address + 4, true);
    } else this.low = size === 1 ? view.getUint8(address) : view.getUint16(address, true);
    return true;
  }

  fetch(address: number, size: number): boolean {
    this.low = 0;
    this.high = 0;
    for (let n = size - 1; n >= 0; n--) {
      this.high = ((this.high << 8) | (this.low >>> 24)) >>> 0;
      this.low = ((this.low << 8) | this.bytes[address + n]!) >>> 0;
    }
    return true;
  }

  store(address: number, size: number, low: number, high: number): boolean {
    const view = this.#view;
    if (size >= 4) {
      view.setUint32(address, low, true);
      if (size === 8) view.setUint32(address + 4, high, true);
    } else if (size === 1) view.setUint8(address, low);
    else view.setUint16(address, low, true);
    return true;
  }
}

/**
 * Measures how many stores per second the model's processor makes with each guest, on plain memory.
 */
export function benchInterpreter(): void {
  for (const guest of [real16, long64]) benchGuest(guest);
}

function benchGuest(guest: Guest): void {
  const first = Math.ceil((guest.listAt + STORES * guest.listElement) / PAGE_SIZE);
  const memory = new FlatMemory((first + PAGES) * PAGE_SIZE);
  guest.place(memory.bytes);
  const view = new DataView(memory.bytes.buffer);
  const page = (n: number) => (first + (n % PAGES)) * PAGE_SIZE;
  for (let n = 0; n < STORES; n++) {
    view.setUint32(guest.listAt + n * guest.listElement, page(n), true);
  }
  const cpu = new Cpu(memory);
  const sregs = new Uint8Array(kvm_sregs.size);
  cpu.getSregs(sregs);
  guest.prepare(new DataView(sregs.buffer));
  cpu.setSregs(sregs);

  const rates: number[] = [];
  let instructions = 0;
  for (let turn = -WARM_UPS; turn < TURNS; turn++) {
    const value = (turn + WARM_UPS) * STORES;
    begin(cpu, guest, value);
    const started = performance.now();
    cpu.begin();
    const stop = cpu.run(Infinity);
    const ns = nanosecondsSince(started);
    const last = view.getUint32(page(STORES - 1), true);
    if (stop !== (guest.exit === "KVM_EXIT_HLT" ? "hlt" : "out") || last !== value + STORES - 1) {
      throw new Error(`${guest.name} stopped with ${stop} and ${last} in its last page`);
    }
    instructions = cpu.executed;
    if (turn >= 0) rates.push(STORES / (ns / 1e9));
  }
  console.log(line(guest, rates, instructions));
}

function begin(cpu: Cpu, guest: Guest, value: number): void {
  const regs = new DataView(new ArrayBuffer(kvm_regs.size));
  const values = guest.begin({ list: guest.listAt, stores: STORES, value, step: 1 });
  for (const [name, bits] of Object.entries(values)) {
    // The type of `values` allows only names of registers as keys, so the cast holds.
    regs.setBigUint64(kvm_regs.at[name as keyof typeof values], bits, true);
  }
  cpu.setRegs(new Uint8Array(regs.buffer));
}

function line(guest: Guest, rates: readonly number[], instructions: number): string {
  const middle = quantile(rates, 0.5);
  const [low, high] = [quantile(rates, 0.25), quantile(rates, 0.75)];
  return [
    `  ${guest.name.padEnd(38)} ${millions(middle)} million stores a second`,
    `(${millions(low)}–${millions(high)})`,
    `${millions((middle * instructions) / STORES)} million instructions`,
    `${rates.length} turns`,
    `target above ${LEAST / 1e6} million stores: ${middle > LEAST ? "met" : "MISSED"}`,
  ].join("  ");
}

function millions(rate: number): string {
  return (rate / 1e6).toFixed(2);
}
