import { Elf } from "./elf.ts";

/** A kernel for x86-64, as a boot loader takes it. */
export interface KernelImage {
  /** The file. */
  readonly path: string;
  /** What `uname -r` will print. */
  readonly release: string;
}

// Documentation/arch/x86/boot.rst: the header of a bzImage.
const BOOT_FLAG_AT = 0x1fe;
const BOOT_FLAG = 0xaa55;
const MAGIC_AT = 0x202;
const MAGIC = 0x53726448; // "HdrS"
const PROTOCOL_AT = 0x206;
const RELEASE_AT = 0x20e;
const XLOADFLAGS_AT = 0x236;
const XLF_KERNEL_64 = 1;
/** The protocol that has `xloadflags`. */
const PROTOCOL = 0x20c;
/** As much of the file as is looked at: the header, and the release behind it. */
export const IMAGE_HEAD_BYTES = 1 << 16;

// Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst
const OTHERS: readonly (readonly [at: number, magic: string, name: string])[] = [
  [0x38, "ARM\x64", "arm64"],
  [0x38, "RSC\x05", "riscv64"],
];
const EM: ReadonlyMap<number, string> = new Map([[3, "i386"], [183, "arm64"], [243, "riscv"]]);

/**
 * Looks whether a file is a kernel that a machine with an x86-64 processor can boot.
 *
 * @param path The file, for the answer.
 * @param head Its first {@linkcode IMAGE_HEAD_BYTES} bytes, or all of it.
 * @returns The image, or in words what the file is instead and what to do about it.
 */
export function kernelImage(path: string, head: Uint8Array): KernelImage | string {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const word = (at: number) => at + 2 <= head.length ? view.getUint16(at, true) : 0;
  if (
    word(BOOT_FLAG_AT) !== BOOT_FLAG || head.length < XLOADFLAGS_AT + 2 ||
    view.getUint32(MAGIC_AT, true) !== MAGIC
  ) {
    return whatElse(head);
  }
  if (word(PROTOCOL_AT) < PROTOCOL || (word(XLOADFLAGS_AT) & XLF_KERNEL_64) === 0) {
    return "is a kernel for 32-bit x86; expected one with CONFIG_64BIT=y";
  }
  const at = word(RELEASE_AT) + 0x200;
  const end = head.indexOf(0, at);
  const text = new TextDecoder().decode(head.subarray(at, end < 0 ? at : Math.min(end, at + 256)));
  const release = text.split(" ", 1)[0]!;
  return release === ""
    ? "is cut off: it does not tell its release; build it anew"
    : { path, release };
}

function whatElse(head: Uint8Array): string {
  const expected = "expected arch/x86/boot/bzImage, or a vmlinuz of /boot";
  const has = (at: number, magic: string) =>
    [...magic].every((letter, n) => head[at + n] === letter.charCodeAt(0));
  const other = OTHERS.find(([at, magic]) => has(at, magic));
  if (other !== undefined) return `is a kernel for ${other[2]}; ${expected} of x86-64`;
  if (Elf.of(head) !== null || has(0, "\x7fELF")) {
    const machine = head[18]! | head[19]! << 8;
    const name = EM.get(machine);
    if (name !== undefined) return `is a program or a kernel for ${name}; ${expected} of x86-64`;
    return `is an ELF file, such as vmlinux; ${expected}, which \`make bzImage\` makes of it`;
  }
  if (head.length === 0) return `is empty; ${expected}`;
  if (has(0, "\x1f\x8b")) return `is a gzip file, perhaps of another architecture; ${expected}`;
  if (has(0, "!<arch>")) return `is a package; unpack it (dpkg -x FILE DIR) and give DIR`;
  return `is no kernel image; ${expected}`;
}
