// The parts of a Bochs machine, tested without Bochs: its configuration, its disk and the disk's
// boot code.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../../host/errors.ts";
import { BOCHS_KERNEL_ARGS, bochsConfig, BochsScreen, findBochs } from "../../vm/bochs.ts";
import { bootDisk, bootSector, cylinderRest, LOADER_LISTING } from "../../vm/boot_disk.ts";
import { VmConsole } from "../../vm/console.ts";
import type { VmSettings } from "../../vm/vm_failure.ts";
import "../support/libc.ts";

const MIB = 2 ** 20;
const SECTOR = 512;
const CHUNK = 126 * SECTOR;
const CYLINDER = 16 * 63 * SECTOR;
/** Sectors of the made-up kernel's real-mode code. */
const SETUP = 3;

/** A kernel as far as a boot loader looks at it: each sector filled with its number. */
function madeUpKernel(sectors: number): Uint8Array<ArrayBuffer> {
  const kernel = Uint8Array.from({ length: sectors * SECTOR }, (_, n) => n / SECTOR);
  const view = new DataView(kernel.buffer);
  kernel[0x1f1] = SETUP - 1;
  kernel[0x211] = 1; // LOADED_HIGH
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setBigUint64(0x258, 16n * BigInt(MIB), true);
  view.setUint32(0x260, 64 * MIB, true);
  return kernel;
}

function madeUpDisk(over: Partial<Parameters<typeof bootDisk>[0]> = {}) {
  const boot = { kernel: madeUpKernel(200), initrdBytes: 2 * CYLINDER, cmdline: "a b=c" };
  const pieces = bootDisk({ ...boot, memoryBytes: 1024 * MIB, ...over });
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

Deno.test("the jumps of the boot loader land where their labels stand", () => {
  let at = 0;
  const labels = new Map<string, number>();
  const jumps: [string, number][] = [];
  for (const [bytes, assembly] of LOADER_LISTING) {
    const label = /^(\w+):/.exec(assembly)?.[1];
    if (label !== undefined) labels.set(label, at);
    at += bytes.length;
    const target = /\bjn\w+\s+(\w+)/.exec(assembly)?.[1];
    if (target !== undefined) jumps.push([target, at + new Int8Array([bytes.at(-1)!])[0]!]);
  }
  const names = ["busy", "wait", "sector", "chunk", "part"];
  assertEquals(jumps, names.map((name) => [name, labels.get(name)!]));
  assert(at <= 0xe8, `${at} bytes reach into the descriptors`);
});

Deno.test("a boot sector says which sectors go where, and ends as a BIOS wants it", () => {
  const view = new DataView(
    bootSector([
      { disk: 0, sector: 1, chunks: 2, at: 3 },
      { disk: 0, sector: 0x1234567, chunks: 0xffff, at: 0x90000 },
      { disk: 1, sector: 0, chunks: 7, at: 0x7ff00000 },
    ]).buffer,
  );
  const part = (n: number) => [0, 4, 8].map((at) => view.getUint32(0x100 + 12 * n + at, true));
  assertEquals([0, 1, 2].map(part), [
    [0xe0000001, 2, 3],
    [0xe1234567, 0xffff, 0x90000],
    [0xf0000000, 7, 0x7ff00000],
  ]);
  assertEquals(view.getUint16(510, true), 0xaa55);
  // lgdt: a limit of two descriptors, which begin at 0x7ce8; the second is data, 4 GiB of it.
  assertEquals([view.getUint16(0xf8, true), view.getUint32(0xfa, true)], [15, 0x7ce8]);
  assertEquals(view.getBigUint64(0xf0, true), 0x00cf9200_0000ffffn);
});

Deno.test("a boot disk is a boot sector, real-mode code with a command line, and the kernel", () => {
  const disk = madeUpDisk();
  assertEquals(disk.length % CYLINDER, 0);
  const setup = new DataView(disk.buffer, SECTOR, CHUNK);
  assertEquals(setup.getUint8(2 * SECTOR + 1), 2, "its last sector");
  assertEquals(setup.getUint8(3 * SECTOR + 1), 0, "no more than it");
  assertEquals([setup.getUint8(0x210), setup.getUint8(0x211)], [0xff, 0x81]);
  const initrdAt = setup.getUint32(0x218, true);
  assertEquals(setup.getUint32(0x21c, true), 2 * CYLINDER);
  assert(initrdAt % 4096 === 0 && initrdAt + 2 * CYLINDER <= 1023 * MIB, `${initrdAt}`);
  assertEquals([setup.getUint16(0x224, true), setup.getUint32(0x228, true)], [0xde00, 0x9e000]);
  const cmdline = new TextDecoder().decode(disk.subarray(SECTOR + 0xe000, SECTOR + 0xe006));
  assertEquals(cmdline, "a b=c\0");
  const rest = disk.subarray(SECTOR + CHUNK);
  assertEquals([rest[0], rest[196 * SECTOR], rest[197 * SECTOR]], [3, 199, 0]);
  const parts = new DataView(disk.buffer, 0x100, 36);
  const words = Array.from({ length: 9 }, (_, n) => parts.getUint32(4 * n, true));
  assertEquals(words, [
    ...[0xe0000001, 1, 0x90000],
    ...[0xe0000001 + 126, 2, 0x100000],
    ...[0xf0000000, 16, initrdAt],
  ]);
});

Deno.test("a boot disk wants memory for the kernel and the initramfs", () => {
  const kernelEnd = 80 * MIB;
  const enough = kernelEnd + 2 * CYLINDER + 2 * MIB;
  madeUpDisk({ memoryBytes: enough });
  assertThrows(
    () => madeUpDisk({ memoryBytes: enough - 4 * MIB }),
    UsageError,
    "--vm-memory 78MiB: too little for this kernel; expected 83MiB or more",
  );
});

Deno.test("cylinderRest() fills up whole cylinders", () => {
  assertEquals([0, 1, CYLINDER - 1, CYLINDER].map(cylinderRest), [0, CYLINDER - 1, 1, 0]);
});

Deno.test("Bochs gets two disks, three serial ports and a clock that the kernel is told of", () => {
  const text = bochsConfig({ memoryMib: 768, disks: ["/a", "/b"] });
  const lines = text.split("\n");
  for (
    const line of [
      "memory: guest=768, host=768",
      "ata0-master: type=disk, mode=flat, path=/a",
      "ata0-slave: type=disk, mode=flat, path=/b",
      "com1: enabled=1, mode=file, dev=/dev/stderr",
      "com2: enabled=1, mode=file, dev=/dev/fd/3",
      "com3: enabled=1, mode=term, dev=/dev/fd/4",
    ]
  ) assert(lines.includes(line), `${line} is not in\n${text}`);
  const ips = Number(/ips=(\d+)/.exec(text)![1]);
  assertStringIncludes(BOCHS_KERNEL_ARGS, `tsc_early_khz=${ips / 1000} `);
});

Deno.test("a screen is found in what Bochs says, wherever it is cut, and all is passed on", async () => {
  const said = 'x\nBochs connected to screen "/dev/null"\ny';
  for (const at of [1, 20, 33, said.length]) {
    let raw = 0;
    using screen = new BochsScreen({ makeRaw: (fd) => fd < 0 ? fd : ++raw });
    const pieces = [said.slice(0, at), said.slice(at)].map((one) => new TextEncoder().encode(one));
    const passed = await Array.fromAsync(screen.foundIn(ReadableStream.from(pieces)));
    assertEquals(passed, pieces);
    assertEquals([screen.path, raw], ["/dev/null", 1]);
  }
});

Deno.test("a screen that is found when Bochs has ended is left alone", async () => {
  const screen = new BochsScreen({ makeRaw: () => assert(false, "it was opened") as never });
  screen[Symbol.dispose]();
  const said = new TextEncoder().encode('Bochs connected to screen "/dev/null"\n');
  await Array.fromAsync(screen.foundIn(ReadableStream.from([said])));
  assertEquals(screen.path, "/dev/null");
});

Deno.test("the console tells why Bochs did not start, and not of its parts", () => {
  const console = new VmConsole();
  console.add(new TextEncoder().encode(
    "00000000000i[PLUGIN] loaded plugin libbx_serial.so\n" +
      'Bochs connected to screen "/dev/pts/0"\n' +
      "=====\n     Bochs x86 Emulator 2.7\n   Built from SVN snapshot on August  1, 2021\n" +
      "     Timestamp: Sun Aug  1 10:07:00 CEST 2021\n=====\nNext at t=0\n" +
      "(0) [0x0000fffffff0] f000:fff0 (unk. ctxt): jmpf 0xf000:e05b          ; ea5be000f0\n" +
      "00000000000p[SIM   ] >>PANIC<< display library 'term' not available\n========\n",
  ));
  assertEquals(console.complaint, "display library 'term' not available");
  assertEquals(console.last.length, 1);
});

Deno.test("findBochs() refuses what Bochs cannot be, or says what is missing", async () => {
  const settings: VmSettings = {
    accel: "auto",
    cpu: "intel",
    cpus: null,
    memoryBytes: 2048 * MIB,
    timeoutMs: null,
    kernelArgs: "",
  };
  const found = await findBochs(settings).catch((error) => error);
  if (found instanceof Error) {
    // As on most machines.
    assert(/^--vm-cpu intel: no .*apt-get install .*bochs-term/.test(found.message), found.message);
    return;
  }
  assertEquals(found.cpu, "intel");
  await assertRejects(
    () => findBochs({ ...settings, cpus: 2 }),
    UsageError,
    "--vm-cpus 2: expected 1",
  );
  await assertRejects(
    () => findBochs({ ...settings, memoryBytes: 2049 * MIB }),
    UsageError,
    "--vm-memory 2049MiB: expected 2048MiB at most",
  );
});
