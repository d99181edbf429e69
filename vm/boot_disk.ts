// The disk from which Bochs boots a kernel: a boot loader in one sector, the kernel, and the
// initramfs as a second disk.
import { PAGE_SIZE } from "../ffi/linux.ts";
import { type Listing, machineCode } from "../guest/guest.ts";
import { UsageError } from "../host/errors.ts";

/**
 * Sectors that one disk command reads: as many as fit between {@linkcode SETUP_AT} and the BIOS's
 * data at 0x9fc00, and an eighth of a cylinder.
 */
const CHUNK_SECTORS = 126;
/** Bytes of a sector of a disk. */
const SECTOR_BYTES = 512;
/**
 * Where the kernel's real-mode code is loaded. Its stack is in the same segment, and above the
 * stack is the command line.
 */
const SETUP_AT = 0x90000;
/** The stack's top, from {@linkcode SETUP_AT}. */
const STACK_AT = 0xe000;

const PARTS_AT = 0x100;
const PART_BYTES = 12;
/** The number of parts that are loaded. */
const PARTS = 3;
/** The descriptor table (a null and a data descriptor), and behind it the operand of `lgdt`. */
const DESCRIPTORS_AT = 0xe8;
const DESCRIPTORS = [0n, 0x00cf_9200_0000_ffffn] as const;
const DESCRIPTOR_TABLE_AT = 0xf8;
/** Where a BIOS loads the boot sector. */
const LOADER_AT = 0x7c00;
const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
/**
 * Bits 28 to 31 of a sector number, for each of two disks: address by sector number (LBA), and
 * which disk.
 */
const LBA_BITS = [0xe, 0xf] as const;

/**
 * The boot sector, which a BIOS loads at 0x7c00 and jumps to. It reads parts of two disks into
 * memory and jumps to the kernel's real-mode code, as Documentation/arch/x86/boot.rst prescribes.
 * It drives the disks itself, which takes seconds; a BIOS and a boot manager need more than a
 * minute.
 */
export const LOADER_LISTING: Listing = [
  [[0xfa], "       cli"],
  [[0xfc], "       cld"],
  [[0x31, 0xc0], "       xor  ax, ax"],
  [[0x8e, 0xd8], "       mov  ds, ax"],
  [[0xe4, 0x92], "       in   al, 0x92       ; address line 20"],
  [[0x0c, 0x02], "       or   al, 2"],
  [[0xe6, 0x92], "       out  0x92, al"],
  [[0x0f, 0x01, 0x16, 0xf8, 0x7c], "       lgdt [0x7cf8]"],
  [[0x0f, 0x20, 0xc0], "       mov  eax, cr0       ; into protected mode and out of it:"],
  [[0x0c, 0x01], "       or   al, 1          ; es reaches all of 4 GiB from now on"],
  [[0x0f, 0x22, 0xc0], "       mov  cr0, eax"],
  [[0xbb, 0x08, 0x00], "       mov  bx, 8"],
  [[0x8e, 0xc3], "       mov  es, bx"],
  [[0x24, 0xfe], "       and  al, 0xfe"],
  [[0x0f, 0x22, 0xc0], "       mov  cr0, eax"],
  [[0xbe, 0x00, 0x7d], "       mov  si, 0x7d00     ; the first part"],
  [[0x66, 0x8b, 0x7c, 0x08], "part:  mov  edi, [si+8]    ; where it goes"],
  [[0x66, 0x8b, 0x1c], "       mov  ebx, [si]      ; its disk and first sector"],
  [[0x8b, 0x6c, 0x04], "       mov  bp, [si+4]     ; its chunks"],
  [[0xba, 0xf7, 0x01], "chunk: mov  dx, 0x1f7"],
  [[0xec], "busy:  in   al, dx"],
  [[0xa8, 0x80], "       test al, 0x80"],
  [[0x75, 0xfb], "       jnz  busy"],
  [[0xba, 0xf2, 0x01], "       mov  dx, 0x1f2"],
  [[0xb0, CHUNK_SECTORS], "       mov  al, 126"],
  [[0xee], "       out  dx, al"],
  [[0x66, 0x89, 0xd8], "       mov  eax, ebx"],
  [[0x42, 0xee], "       inc  dx / out dx, al"],
  [[0x66, 0xc1, 0xe8, 0x08], "       shr  eax, 8"],
  [[0x42, 0xee], "       inc  dx / out dx, al"],
  [[0x66, 0xc1, 0xe8, 0x08], "       shr  eax, 8"],
  [[0x42, 0xee], "       inc  dx / out dx, al"],
  [[0x66, 0xc1, 0xe8, 0x08], "       shr  eax, 8"],
  [[0x42, 0xee], "       inc  dx / out dx, al"],
  [[0x42], "       inc  dx"],
  [[0xb0, 0x20], "       mov  al, 0x20       ; READ SECTORS"],
  [[0xee], "       out  dx, al"],
  [[0xb4, CHUNK_SECTORS], "       mov  ah, 126"],
  [[0xba, 0xf7, 0x01], "sector: mov dx, 0x1f7"],
  [[0xec], "wait:  in   al, dx         ; until it is not busy, and has data"],
  [[0x24, 0x88], "       and  al, 0x88"],
  [[0x3c, 0x08], "       cmp  al, 8"],
  [[0x75, 0xf9], "       jne  wait"],
  [[0xba, 0xf0, 0x01], "       mov  dx, 0x1f0"],
  [[0x66, 0xb9, 0x80, 0x00, 0x00, 0x00], "       mov  ecx, 128"],
  [[0x67, 0x66, 0xf3, 0x6d], "       rep  insd           ; to es:edi"],
  [[0xfe, 0xcc], "       dec  ah"],
  [[0x75, 0xe5], "       jnz  sector"],
  [[0x66, 0x83, 0xc3, CHUNK_SECTORS], "       add  ebx, 126"],
  [[0x4d], "       dec  bp"],
  [[0x75, 0xb3], "       jnz  chunk"],
  [[0x83, 0xc6, PART_BYTES], "       add  si, 12"],
  [
    [0x81, 0xfe, PARTS_AT + PARTS * PART_BYTES & 0xff, 0x7d],
    "       cmp  si, 0x7d24     ; the end",
  ],
  [[0x75, 0xa0], "       jne  part"],
  [[0xb8, 0x00, 0x90], "       mov  ax, 0x9000"],
  [[0x8e, 0xd8, 0x8e, 0xc0], "       mov  ds, ax / mov es, ax"],
  [[0x8e, 0xe0, 0x8e, 0xe8], "       mov  fs, ax / mov gs, ax"],
  [[0x8e, 0xd0], "       mov  ss, ax"],
  [[0xbc, 0x00, 0xe0], "       mov  sp, 0xe000"],
  [[0xea, 0x00, 0x00, 0x20, 0x90], "       jmp  0x9020:0"],
];

/** A part of a disk to load. */
export interface LoadedPart {
  /** The disk: 0 is the boot disk, 1 the second one. */
  readonly disk: 0 | 1;
  /** Its first sector. */
  readonly sector: number;
  /** Its size, in chunks of {@linkcode CHUNK_SECTORS} sectors. */
  readonly chunks: number;
  /** The physical address to load it at. */
  readonly at: number;
}

/**
 * The boot sector of a disk.
 *
 * @param parts What the boot sector loads.
 * @returns 512 bytes.
 */
export function bootSector(
  parts: readonly [LoadedPart, LoadedPart, LoadedPart],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SECTOR_BYTES);
  bytes.set(machineCode(LOADER_LISTING));
  const view = new DataView(bytes.buffer);
  DESCRIPTORS.forEach((one, n) => view.setBigUint64(DESCRIPTORS_AT + 8 * n, one, true));
  view.setUint16(DESCRIPTOR_TABLE_AT, 8 * DESCRIPTORS.length - 1, true);
  view.setUint32(DESCRIPTOR_TABLE_AT + 2, LOADER_AT + DESCRIPTORS_AT, true);
  parts.forEach(({ disk, sector, chunks, at }, n) => {
    const part = PARTS_AT + n * PART_BYTES;
    view.setUint32(part, LBA_BITS[disk] * 2 ** 28 + sector, true);
    view.setUint16(part + 4, chunks, true);
    view.setUint32(part + 8, at, true);
  });
  view.setUint16(SIGNATURE_AT, SIGNATURE, true);
  return bytes;
}

/** What a machine boots from disk. */
export interface DiskBoot {
  /** The kernel, a bzImage. */
  readonly kernel: Uint8Array<ArrayBuffer>;
  /** Bytes of the initramfs, which is the second disk: whole cylinders. */
  readonly initrdBytes: number;
  /** The kernel's command line. */
  readonly cmdline: string;
  /** The machine's memory in bytes. */
  readonly memoryBytes: number;
}

const CHUNK_BYTES = CHUNK_SECTORS * SECTOR_BYTES;
/** Bytes of a cylinder, 16 heads of 63 sectors. An emulated disk consists of whole cylinders. */
const CYLINDER_BYTES = 16 * 63 * SECTOR_BYTES;
/** Where the kernel's protected-mode code is loaded. */
const KERNEL_AT = 0x100000;
/** Bytes at the end of memory, where the BIOS keeps its tables. */
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
 * How many bytes a disk lacks to the next whole cylinder.
 *
 * @param bytes The length of the disk.
 */
export function cylinderRest(bytes: number): number {
  return (CYLINDER_BYTES - bytes % CYLINDER_BYTES) % CYLINDER_BYTES;
}

/**
 * Builds the disk from which a BIOS boots a kernel: a boot sector, the kernel's real-mode code with
 * its command line, and the rest of the kernel. The initramfs is the second disk.
 *
 * @returns The disk in pieces, which together are whole cylinders.
 * @throws {UsageError} Where the memory is too small for the kernel and the initramfs.
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
