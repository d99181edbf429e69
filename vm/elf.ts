// Reads ELF files and kernel images, as far as booting a machine needs it.
const ELF_MAGIC = 0x464c457f; // "\x7fELF", little endian
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_LOAD = 1;
const DT_NULL = 0;
const DT_STRTAB = 5;
const DT_SONAME = 14;

/** The longest string that is read, in bytes. */
const MOST_BYTES = 4096;

/**
 * A 64-bit ELF file (elf(5)), as far as this program needs it. Offsets beyond the end of the file
 * read as zeros.
 */
export class Elf {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Takes the bytes of a file.
   *
   * @returns The ELF file, or `null` where the bytes are not a 64-bit ELF file.
   */
  static of(bytes: Uint8Array): Elf | null {
    const isElf = bytes.length >= 64 && new Elf(bytes).#view.getUint32(0, true) === ELF_MAGIC &&
      bytes[4] === 2;
    return isElf ? new Elf(bytes) : null;
  }

  /**
   * The dynamic loader that a program asks for, such as `/lib64/ld-linux-x86-64.so.2`, or `null`.
   */
  get interpreter(): string | null {
    const segment = this.#segments().find(({ type }) => type === PT_INTERP);
    return segment === undefined ? null : this.#text(segment.offset);
  }

  /** The name under which programs ask for this library, or `null`. */
  get soname(): string | null {
    const segment = this.#segments().find(({ type }) => type === PT_DYNAMIC);
    if (segment === undefined) return null;
    let strings: number | null = null;
    let name: number | null = null;
    for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
      const tag = this.#number(at);
      const value = this.#number(at + 8);
      if (tag === DT_NULL) break;
      if (tag === DT_STRTAB) strings = this.#offsetOf(value);
      if (tag === DT_SONAME) name = value;
    }
    return strings === null || name === null ? null : this.#text(strings + name);
  }

  /**
   * The bytes of a section.
   *
   * @param wanted The section's name, `.modinfo`.
   * @returns The bytes, or `null` where there is no such section.
   */
  section(wanted: string): Uint8Array | null {
    const table = this.#number(0x28);
    const size = this.#view.getUint16(0x3a, true);
    const count = this.#view.getUint16(0x3c, true);
    const headers = Array.from({ length: count }, (_, n) => table + n * size);
    const names = headers[this.#view.getUint16(0x3e, true)];
    if (names === undefined) return null;
    const strings = this.#number(names + 0x18);
    const found = headers.find((at) =>
      at < this.#bytes.length && this.#text(strings + this.#word(at)) === wanted
    );
    if (found === undefined) return null;
    const from = this.#number(found + 0x18);
    return this.#bytes.subarray(from, from + this.#number(found + 0x20));
  }

  #segments() {
    const table = this.#number(0x20);
    const size = this.#view.getUint16(0x36, true);
    return Array.from({ length: this.#view.getUint16(0x38, true) }, (_, n) => {
      const at = table + n * size;
      return {
        type: this.#word(at),
        offset: this.#number(at + 0x08),
        address: this.#number(at + 0x10),
        size: this.#number(at + 0x20),
      };
    });
  }

  // Converts an address to an offset in the file.
  #offsetOf(address: number): number | null {
    const segment = this.#segments().find(({ type, address: from, size }) =>
      type === PT_LOAD && address >= from && address < from + size
    );
    return segment === undefined ? null : address - segment.address + segment.offset;
  }

  #word(at: number): number {
    return at + 4 <= this.#bytes.length ? this.#view.getUint32(at, true) : 0;
  }

  #number(at: number): number {
    return at + 8 <= this.#bytes.length ? Number(this.#view.getBigUint64(at, true)) : 0;
  }

  #text(at: number): string {
    const bytes = this.#bytes.subarray(at, at + MOST_BYTES);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
}

/** A kernel image for x86-64, as a boot loader takes it. */
export interface KernelImage {
  /** The file. */
  readonly path: string;
  /** The kernel's release, as `uname -r` will print it. */
  readonly release: string;
}

// Documentation/arch/x86/boot.rst: the header of a bzImage.
const BOOT_FLAG_AT = 0x1fe;
const BOOT_FLAG = 0xaa55;
const MAGIC_AT = 0x202;
const BOOT_MAGIC = 0x53726448; // "HdrS"
const PROTOCOL_AT = 0x206;
const RELEASE_AT = 0x20e;
const XLOADFLAGS_AT = 0x236;
const XLF_KERNEL_64 = 1;
/** The first version of the boot protocol that has `xloadflags`. */
const PROTOCOL = 0x20c;
/** How many bytes of a file are read: the header, and the release behind it. */
export const IMAGE_HEAD_BYTES = 1 << 16;

// Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst
const OTHERS: readonly (readonly [at: number, magic: string, name: string])[] = [
  [0x38, "ARM\x64", "arm64"],
  [0x38, "RSC\x05", "riscv64"],
];
const EM: ReadonlyMap<number, string> = new Map([[3, "i386"], [183, "arm64"], [243, "riscv"]]);

/**
 * Checks whether a file is a kernel that a machine with an x86-64 processor can boot.
 *
 * @param path The file's path, for the result.
 * @param head The file's first {@linkcode IMAGE_HEAD_BYTES} bytes, or all of it.
 * @returns The image, or a text that says what the file is instead and what to do about it.
 */
export function kernelImage(path: string, head: Uint8Array): KernelImage | string {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const word = (at: number) => at + 2 <= head.length ? view.getUint16(at, true) : 0;
  if (
    word(BOOT_FLAG_AT) !== BOOT_FLAG || head.length < XLOADFLAGS_AT + 2 ||
    view.getUint32(MAGIC_AT, true) !== BOOT_MAGIC
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
