// The model's processor against a real one.
import { assert, assertEquals } from "@std/assert";
import type { Kernel } from "../../ffi/kernel.ts";
import { long64 } from "../../guest/long64.ts";
import { type Random, seeded } from "../../guest/pattern.ts";
import { Mapping } from "../../kvm/mapping.ts";
import { System } from "../../kvm/system.ts";
import { ARITHMETIC_FLAGS } from "../../model/alu.ts";
import { openModel } from "../../model/model_kernel.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest } from "../support/live.ts";

// Random instructions on registers, and on 64 bytes of memory at rsi. AF after a logical operation is
// undefined, and so is not compared.
function randomCode(random: Random): number[] {
  const code: number[] = [];
  const modrm = (reg: number, memory: boolean) =>
    memory
      ? [0x40 | (reg << 3) | 6, random(56)]
      : [0xc0 | (reg << 3) | [0, 1, 2, 3, 7][random(5)]!];
  const prefixes = () => [[], [0x66], [0x48], [0x4c]][random(4)]!;
  const rest = (bytes: number) => Array.from({ length: bytes }, () => random(256));
  for (let n = 0; n < 25; n++) {
    const prefix = prefixes();
    const isWide = prefix.length === 0 || prefix[0] !== 0x66;
    const reg = [0, 1, 2, 3, 7][random(5)]!;
    const memory = random(3) === 0;
    switch (random(8)) {
      case 0:
      case 1:
        code.push(...prefix, random(8) * 8 + random(4), ...modrm(reg, memory));
        break;
      case 2:
        code.push(...prefix, 0x83, ...modrm(random(8), memory), random(256));
        break;
      case 3:
        code.push(...prefix, 0x81, ...modrm(random(8), memory), ...rest(isWide ? 4 : 2));
        break;
      case 4:
        code.push(...prefix, 0x88 + random(4), ...modrm(reg, memory));
        break;
      case 5:
        code.push(...prefix, 0xfe + random(2), ...modrm(random(2), memory));
        break;
      case 6:
        code.push(...prefix, 0x84 + random(2), ...modrm(reg, memory));
        break;
      default:
        // A conditional jump over one byte, which is a nop.
        code.push(0x70 + random(16), 1, 0x90);
    }
  }
  return [...code, 0xe6, 0x10];
}

// Runs code on a kernel; answers the registers and the memory that it may touch.
function runOn(kernel: Kernel, codes: readonly number[][]): string[] {
  using system = System.open(kernel);
  using vm = system.createVm();
  using memory = Mapping.anonymous(kernel, 1 << 20, "guest memory");
  long64.place(memory.bytes);
  vm.setUserMemoryRegion({
    slot: 0,
    flags: 0,
    guestPhysAddr: 0,
    memorySize: memory.length,
    userspaceAddr: memory.address,
  });
  using vcpu = vm.createVcpu(0, system.vcpuMmapSize());
  vcpu.changeSregs(long64.prepare);
  return codes.map((code, n) => {
    memory.bytes.set(code, 0x50000);
    memory.bytes.subarray(0x60000, 0x60040).forEach((_, at, all) => all[at] = (at * 37 + n) & 0xff);
    vcpu.setRegisters({
      rip: 0x50000n,
      rflags: 0x3002n,
      rsi: 0x60000n,
      rax: 0x0123_4567_89ab_cdefn,
      rbx: 0xfedc_ba98_7654_3210n,
      rcx: 0xffff_ffff_ffff_ffffn,
      rdx: 0x8000_0000n,
      rdi: BigInt(n),
      r8: 0x7fff_ffff_ffff_ffffn,
    });
    const answer = vcpu.run();
    const names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"] as const;
    const registers = names.map((name) => vcpu.register(name).toString(16));
    const flags = Number(vcpu.register("rflags")) & ARITHMETIC_FLAGS & ~0x10;
    const touched = [...memory.bytes.subarray(0x60000, 0x60040)];
    return JSON.stringify([answer, vcpu.exitReason, registers, flags, touched]);
  });
}

liveTest("the model's processor does what a real one does, on 2000 random programs", () => {
  const random = seeded(7);
  const codes = Array.from({ length: 2000 }, () => randomCode(random));
  const real = runOn(LIBC, codes);
  const modelled = runOn(openModel({ version: "latest", pml: false, emulator: false }), codes);
  assert(real.every((text) => text.startsWith("[0,2,")), "a program did not end with OUT");
  codes.forEach((code, n) => {
    const bytes = code.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    assertEquals(modelled[n], real[n], bytes);
  });
});
