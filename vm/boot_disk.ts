import { PAGE_SIZE } from "../ffi/linux.ts";
import { UsageError } from "../lab/usage_error.ts";
import { bootSector, CHUNK_SECTORS, SECTOR_BYTES, SETUP_AT, STACK_AT } from "./boot_loader.ts";

/** What a machine boots from a disk. */
export interface DiskBoot {
  /** The kernel, a bzImage. */
  readonly kernel: Uint8Array<ArrayBuffer>;
  /** The length of the initramfs, which is the disk beside it: whole cylinders. */
  readonly initrdBytes: number;
  /** The kernel's command line. */
  readonly cmdline: string;
  /** The machine's memory. */
  readonly memoryBytes: number;
}

const CHUNK_BYTES = CHUNK_SECTORS * SECTOR_BYTES;
/** An emulated disk has whole cylinders: 16 heads of 63 sectors. */
const CYLINDER_BYTES = 16 * 63 * SECTOR_BYTES;
/** Where the kernel's protected-mode code goes. */
const KERNEL_AT = 0x100000;
/** The BIOS keeps its tables in what is last of the memory. */
const BIOS_BYTES = 1 << 20;

// Documentation/arch/x86/boot.rst: the header of a bzImage.
const SETUP_SECTS_AT = 0x1f1;
const TYPE_OF_LOADER_AT = 0x210;
const LOADFLAGS_AT = 0x211;
const RAMDISK_IMAGE_AT = 0x218;
const RAMDISK_SIZE_AT = 0x21c;
const HEAP_END_PTR_AT = 0x224;
const CMD_LINE_PTR_AT = 0x228;
const INITRD_ADDR_MAX_AT = 0x22c;
const PREF_ADDRESS_AT = 0x258;
const INIT_SIZE_AT = 0x260;
const UNKNOWN_LOADER = 0xff;
const CAN_USE_HEAP = 0x80;
/** The heap ends this far below the stack's top. */
const STACK_BYTES = 0x200;

/**
 * How many bytes are missing to whole cylinders.
 *
 * @param bytes The length of a disk.
 * @returns The bytes.
 */
export function cylinderRest(bytes: number): number {
  return (CYLINDER_BYTES - bytes % CYLINDER_BYTES) % CYLINDER_BYTES;
}

/**
 * The disk from which a BIOS boots a kernel: a boot sector, the kernel's real-mode code with its command line, and the
 * rest of the kernel. The initramfs is the disk beside it.
 *
 * @param boot What is booted.
 * @returns The disk, in pieces.
 * @throws {UsageError} Where the memory does not hold it all.
 */
export function bootDisk({ kernel, initrdBytes, cmdline, memoryBytes }: DiskBoot): Uint8Array[] {
  const header = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const setupBytes = ((header.getUint8(SETUP_SECTS_AT) || 4) + 1) * SECTOR_BYTES;
  const most = Math.min(memoryBytes - BIOS_BYTES, header.getUint32(INITRD_ADDR_MAX_AT, true) + 1);
  const initrdAt = Math.floor((most - initrdBytes) / PAGE_SIZE) * PAGE_SIZE;
  const kernelEnd = Number(header.getBigUint64(PREF_ADDRESS_AT, true)) +
    header.getUint32(INIT_SIZE_AT, true);
  if (initrdAt < kernelEnd) {
    throw new UsageError(
      `--vm-memory ${Math.floor(memoryBytes / 2 ** 20)}MiB: too little for this kernel; expected ` +
        `${Math.ceil((kernelEnd + initrdBytes + BIOS_BYTES) / 2 ** 20) + 1}MiB or more`,
    );
  }
  const setup = new Uint8Array(CHUNK_BYTES);
  setup.set(kernel.subarray(0, setupBytes));
  setup.set(new TextEncoder().encode(cmdline), STACK_AT);
  const view = new DataView(setup.buffer);
  view.setUint8(TYPE_OF_LOADER_AT, UNKNOWN_LOADER);
  view.setUint8(LOADFLAGS_AT, view.getUint8(LOADFLAGS_AT) | CAN_USE_HEAP);
  view.setUint32(RAMDISK_IMAGE_AT, initrdAt, true);
  view.setUint32(RAMDISK_SIZE_AT, initrdBytes, true);
  view.setUint16(HEAP_END_PTR_AT, STACK_AT - STACK_BYTES, true);
  view.setUint32(CMD_LINE_PTR_AT, SETUP_AT + STACK_AT, true);
  const rest = kernel.subarray(setupBytes);
  const sector = bootSector([
    { disk: 0, sector: 1, chunks: 1, at: SETUP_AT },
    { disk: 0, sector: 1 + CHUNK_SECTORS, chunks: chunks(rest.length), at: KERNEL_AT },
    { disk: 1, sector: 0, chunks: chunks(initrdBytes), at: initrdAt },
  ]);
  const filled = new Uint8Array(chunks(rest.length) * CHUNK_BYTES - rest.length);
  const pieces = [sector, setup, rest, filled];
  const length = pieces.reduce((sum, one) => sum + one.length, 0);
  return [...pieces, new Uint8Array(cylinderRest(length))];
}

function chunks(bytes: number): number {
  return Math.ceil(bytes / CHUNK_BYTES);
}
