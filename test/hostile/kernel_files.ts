// The files that `--kernel` and `--modules` read on this host before an emulator is started:
// images, ELF files, compressed modules, trees and packages.
import type { Random } from "../../guest/pattern.ts";
import { bzImage, elfFile, moduleFile } from "../support/vm_files.ts";
import { damage, joined, noise } from "./bytes.ts";
import { once, pick } from "./chance.ts";
import type { Format, HostileCase } from "./hostile_case.ts";
import { fileName, type Site } from "./site.ts";
import { hostileText } from "./texts.ts";

const RELEASE = "6.12.1";
const BOMB = "bomb.gz";
const BOMB_BYTES = 512 * 2 ** 20;
const encoder = new TextEncoder();

/** Images, trees and packages. */
export const kernelFiles: Format = {
  name: "kernel",
  share: 8,
  async prepare(folder) {
    await Deno.writeFile(`${folder}/${BOMB}`, zerosPacked(BOMB_BYTES));
  },
  async make(random, site) {
    const command = pick(random, ["dump", "check", "probe", "bench"]);
    const { args } = once(random, 3) ? ofImage(random, site) : await ofTree(random, site);
    const twice = command === "check" && once(random, 6) ? args : [];
    return { args: [command, ...args, ...twice] };
  },
};

function ofImage(random: Random, site: Site): HostileCase {
  const text = once(random, 2) ? RELEASE : hostileText(random).slice(0, 500);
  const content = pick<() => Uint8Array>(random, [
    () => damage(random, bzImage(text)),
    () => damage(random, bzImage(text), 0x1f0, 0x240),
    () => bzImage(text, { protocol: random(0x300) }),
    () => bzImage(text).slice(0, random(0x1000)),
    () => damage(random, elfFile({ sections: { a: noise(random, 50) }, machine: random(300) })),
    () =>
      joined([
        encoder.encode(pick(random, ["\x1f\x8b", "!<arch>", "MZ", "\x7fELF"])),
        noise(random, 99),
      ]),
    () => new Uint8Array(0),
  ])();
  const name = once(random, 3) ? fileName(hostileText(random)) : "bzImage";
  site.write(name, content);
  const modules = once(random, 3) ? [`--modules=${fileName(hostileText(random))}`] : [];
  const path = once(random, 30)
    ? pick(random, [".", "nowhere", "/dev/null", "/dev/zero"])
    : `./${name}`;
  return { args: [`--kernel=${path}`, ...modules] };
}

// A tree or a package whose KVM depends on a module that does not exist, so that no machine is
// started even if nothing else is damaged.
async function ofTree(random: Random, site: Site): Promise<HostileCase> {
  const release = once(random, 4) ? hostileText(random).slice(0, 500) : RELEASE;
  const isPackage = once(random, 2);
  const top = isPackage ? `lib/modules/${fileName(release)}/kernel` : ".";
  const image = isPackage ? `boot/vmlinuz-${fileName(release)}` : "arch/x86/boot/bzImage";
  site.write(`tree/${image}`, bzImage(release));
  const order = damage(random, encoder.encode("arch/x86/kvm/kvm.o\nkernel/a/b.ko\n../../x/y.ko\n"));
  const ordered = isPackage ? `lib/modules/${fileName(release)}/modules.order` : "modules.order";
  site.write(`tree/${ordered}`, order);
  const wanted = moduleFile(release, once(random, 3) ? `kvm,${hostileText(random)}` : "kvm,never");
  const place = `tree/${top}/arch/x86/kvm`;
  await writeModule(random, site, `${place}/kvm-amd`, wanted);
  await writeModule(
    random,
    site,
    `${place}/kvm`,
    moduleFile(release, once(random, 9) ? "kvm_amd" : ""),
  );
  if (once(random, 4)) site.write(`${place}/${fileName(hostileText(random))}.ko`, wanted);
  const args = ["--kernel=tree"];
  if (once(random, 4)) {
    args.push(`--modules=${pick(random, ["tree", "nowhere", "tree/modules.order", "\x1b[2J"])}`);
  }
  return { args };
}

async function writeModule(random: Random, site: Site, stem: string, image: Uint8Array) {
  const content = once(random, 3) ? damage(random, image) : image;
  switch (random(12)) {
    case 0:
      return void site.write(`${stem}.ko.gz`, damage(random, await gzipped(content)));
    case 1:
      return void site.write(`${stem}.ko.gz`, await gzipped(content));
    case 2:
      return void site.write(`${stem}.ko.xz`, joined([encoder.encode("\xfd7zXZ\0"), content]));
    case 3:
      return void site.write(`${stem}.ko.zst`, noise(random, 200));
    case 4:
      return void site.write(`${stem}.ko.${pick(random, ["lz4", "bz2", "x\n"])}`, content);
    case 5:
      if (!once(random, 20)) return void site.directory(`${stem}.ko`);
      return void site.write(`${stem}.ko.gz`, Deno.readFileSync(`${site.shared}/${BOMB}`));
    case 6:
      if (!once(random, 10)) return void site.write(`${stem}.ko`, "");
      site.directory(stem.slice(0, stem.lastIndexOf("/")));
      return site.link(pick(random, ["/dev/null", "nowhere", "kvm.ko"]), `${stem}.ko`);
    default:
      return void site.write(`${stem}.ko`, content);
  }
}

async function gzipped(bytes: Uint8Array<ArrayBuffer> | Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A number of zeros, compressed to about a thousandth. */
export function zerosPacked(bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  // The same piece again and again, so that making the file does not count as the case's memory.
  const piece = new Uint8Array(1 << 20);
  const zeros = ReadableStream.from(Array.from({ length: bytes >> 20 }, () => piece));
  return zeros.pipeThrough(new CompressionStream("gzip"));
}
