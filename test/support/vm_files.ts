// Hand-made kernel images, ELF files and modules, so that tests of their readers need no real ones.

/** A bzImage with the fields that a boot loader reads: Documentation/arch/x86/boot.rst. */
export function bzImage(
  release: string,
  { protocol = 0x20f, loadFlags = 1 }: { protocol?: number; loadFlags?: number } = {},
): Uint8Array {
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set(new TextEncoder().encode("HdrS"), 0x202);
  view.setUint16(0x206, protocol, true);
  view.setUint16(0x20e, 0x800 - 0x200, true);
  view.setUint16(0x236, loadFlags, true);
  bytes.set(new TextEncoder().encode(`${release} (someone@somewhere) #1 SMP\0`), 0x800);
  return bytes;
}

/** The content of a hand-made ELF file. */
export interface ElfParts {
  readonly sections?: Readonly<Record<string, Uint8Array>>;
  readonly segments?: readonly {
    readonly type: number;
    readonly address?: number;
    readonly content: Uint8Array;
  }[];
  readonly machine?: number;
}

const HEADER = 64;
const SEGMENT = 56;
const SECTION = 64;

/** A 64-bit ELF file: elf(5). */
export function elfFile({ sections = {}, segments = [], machine = 62 }: ElfParts): Uint8Array {
  const all = { "": new Uint8Array(0), ...sections };
  const names = new TextEncoder().encode([...Object.keys(all), ".shstrtab", ""].join("\0"));
  const contents = [...Object.values(all), names];
  const bodies = [...segments.map(({ content }) => content), ...contents];
  const table = HEADER + segments.length * SEGMENT;
  const bodiesAt = table + contents.length * SECTION;
  const bytes = new Uint8Array(bodiesAt + bodies.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  const long = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(0x12, machine, true);
  long(0x20, HEADER);
  long(0x28, table);
  view.setUint16(0x36, SEGMENT, true);
  view.setUint16(0x38, segments.length, true);
  view.setUint16(0x3a, SECTION, true);
  view.setUint16(0x3c, contents.length, true);
  view.setUint16(0x3e, contents.length - 1, true);
  let at = bodiesAt;
  let name = 0;
  for (const [n, body] of bodies.entries()) {
    bytes.set(body, at);
    const segment = segments[n];
    if (segment !== undefined) {
      const head = HEADER + n * SEGMENT;
      view.setUint32(head, segment.type, true);
      long(head + 0x08, at);
      long(head + 0x10, segment.address ?? 0);
      long(head + 0x20, body.length);
    } else {
      const index = n - segments.length;
      const head = table + index * SECTION;
      view.setUint32(head, name, true);
      long(head + 0x18, at);
      long(head + 0x20, body.length);
      name += ([...Object.keys(all), ".shstrtab"][index]!).length + 1;
    }
    at += body.length;
  }
  return bytes;
}

/** A kernel module that has only the tags of its `.modinfo`. */
export function moduleFile(release: string, depends: string): Uint8Array {
  const tags = ["license=GPL", `depends=${depends}`, `vermagic=${release} SMP preempt mod_unload `];
  const modinfo = new TextEncoder().encode(tags.map((tag) => `${tag}\0`).join(""));
  return elfFile({ sections: { ".text": new Uint8Array(32), ".modinfo": modinfo } });
}
