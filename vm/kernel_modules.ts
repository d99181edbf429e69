import { HostError } from "../ffi/errors.ts";
import { fileErrorText, fileShortage } from "../host/errors.ts";
import { exhaustion } from "../host/exhaustion.ts";
import { printable } from "../text/printable.ts";
import { Elf } from "./elf.ts";
import { KernelFileError } from "./vm_failure.ts";

/** A module of a kernel, as init_module(2) takes it. */
export interface KernelModule {
  /** Its name, as the kernel writes it: `kvm_amd`. */
  readonly name: string;
  /** The ELF file. */
  readonly image: Uint8Array;
}

/** What a file's end says of its compression, and the program that undoes it. */
const PACKERS: Readonly<Record<string, readonly string[] | null>> = {
  ".ko": null,
  ".ko.gz": ["gzip", "-dc"],
  ".ko.xz": ["xz", "-dc"],
  ".ko.zst": ["zstd", "-dc", "--quiet"],
};
/** More than any module has that somebody compressed. */
const MOST_BYTES = 64 * 2 ** 20;
/** Where a tree, or a package, has KVM and what it needs. */
const LIKELY = ["arch/x86/kvm", "virt/lib", "drivers/crypto/ccp"]
  .flatMap((place) => [place, `kernel/${place}`]);

/**
 * The modules that a module needs, in an order in which the kernel takes them, itself last. What they depend on stands in
 * themselves (`.modinfo`, `depends=`): an unpacked package has no `modules.dep`.
 *
 * @param folder A folder of modules: `/lib/modules/RELEASE`, or a built tree.
 * @param wanted Its name, `kvm_amd`.
 * @param release The kernel's release, which they must have been built for.
 * @returns The modules; none where the folder does not have it, as where it is built in.
 * @throws {KernelFileError} Where one that is needed is missing, of another release, or cannot be read.
 * @throws {HostError} Where the program that decompresses it is missing.
 */
export async function modulesFor(
  folder: string,
  wanted: string,
  release: string,
): Promise<KernelModule[]> {
  let files = await filesIn(folder, LIKELY);
  const found = new Map<string, KernelModule>();
  const begun = new Set<string>();
  const add = async (name: string, by: string | null): Promise<void> => {
    // Reading all folders takes a second: only where a module is not where it is expected.
    if (!files.has(name)) {
      const others = await filesIn(folder, await orderedFolders(folder) ?? ["."]);
      files = new Map([...others, ...files]);
    }
    const file = files.get(name);
    if (file === undefined) {
      if (by === null) return;
      throw new KernelFileError(
        `${printable(folder)}: ${by} depends on ${
          printable(name)
        }, which is missing; build it with \`make modules\`, or give ` +
          "the whole folder with --modules",
      );
    }
    if (found.has(name)) return;
    if (begun.has(name)) {
      throw new KernelFileError(
        `${printable(folder)}: ${printable(by ?? "")} and ${
          printable(name)
        } depend on each other; build them anew with \`make modules\``,
      );
    }
    begun.add(name);
    const image = await unpacked(file);
    const info = modinfo(image);
    const builtFor = info.get("vermagic")?.split(" ", 1)[0];
    if (builtFor !== release) {
      throw new KernelFileError(
        `${printable(file)}: ${
          builtFor === undefined ? "is no module" : `is of Linux ${printable(builtFor)}`
        }; the kernel is ` +
          `${printable(release)}: build both, or give another --modules`,
      );
    }
    for (const needed of (info.get("depends") ?? "").split(",").filter((one) => one !== "")) {
      await add(moduleName(needed), name);
    }
    found.set(name, { name, image });
  };
  await add(wanted, null);
  return [...found.values()];
}

/** A module's name: its file may have dashes where the kernel has underscores. */
function moduleName(text: string): string {
  return text.replaceAll("-", "_");
}

/**
 * The tags of a module.
 *
 * @param image The ELF file.
 * @returns The first value of each, by name; none where it is no module.
 */
export function modinfo(image: Uint8Array): ReadonlyMap<string, string> {
  const section = Elf.of(image)?.section(".modinfo") ?? new Uint8Array(0);
  const tags = new Map<string, string>();
  for (const text of new TextDecoder().decode(section).split("\0")) {
    const at = text.indexOf("=");
    if (at > 0 && !tags.has(text.slice(0, at))) tags.set(text.slice(0, at), text.slice(at + 1));
  }
  return tags;
}

// Files of some folders, by module name.
async function filesIn(folder: string, places: readonly string[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const place of new Set(places)) {
    for (const name of await namesIn(`${folder}/${place}`)) {
      const stem = /^(.+?)\.ko(?:\.\w+)?$/.exec(name)?.[1];
      if (stem !== undefined) files.set(moduleName(stem), `${folder}/${place}/${name}`);
    }
  }
  return files;
}

// `modules.order` names all modules, in a tree as `.o` or `.ko`, in a package without what compression adds.
async function orderedFolders(folder: string): Promise<string[] | null> {
  try {
    const order = await Deno.readTextFile(`${folder}/modules.order`);
    const lines = order.split("\n").filter((line) => line.includes("/"));
    return lines.map((line) => line.slice(0, line.lastIndexOf("/")));
  } catch {
    return null;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch {
    return []; // a kernel may be built without any of it
  }
}

async function unpacked(file: string): Promise<Uint8Array> {
  const ending = /\.ko(?:\.\w+)?$/.exec(file)?.[0] ?? "";
  const packer = PACKERS[ending];
  if (packer === undefined) {
    throw new KernelFileError(
      `${printable(file)}: compressed in a way that is not known; expected .xz, .zst or .gz`,
    );
  }
  try {
    if (packer === null) return await Deno.readFile(file);
    const [program, ...args] = packer;
    const { code, bytes, stderr } = await unpack(program!, [...args, file], MOST_BYTES);
    if (bytes === null) {
      throw new KernelFileError(
        `${printable(file)}: holds more than ${
          MOST_BYTES / 2 ** 20
        } MiB; no module is as large, build it anew`,
      );
    }
    if (code === 0) return bytes;
    const [said = ""] = new TextDecoder().decode(stderr).trim().split("\n");
    throw new KernelFileError(`${printable(file)}: ${printable(said)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && packer !== null) {
      throw new HostError(
        `${printable(file)}: no ${packer[0]} to decompress it`,
        `install ${packer[0]}`,
      );
    }
    if (error instanceof KernelFileError || !(error instanceof Error)) throw error;
    const what = printable(file);
    throw exhaustion(error) ?? fileShortage(what, error) ??
      new KernelFileError(`${what}: ${fileErrorText(error)}`);
  }
}

/** What a program that decompresses came to. */
export interface Unpacked {
  /** Its exit status. */
  readonly code: number;
  /** What it made of the file; `null` where that is more than was wanted, and it was ended. */
  readonly bytes: Uint8Array | null;
  /** What it said. */
  readonly stderr: Uint8Array;
}

/**
 * Has a program decompress a file, up to a size: a small file can hold gigabytes.
 *
 * @param args Its arguments, the file among them.
 * @param most The most bytes that are wanted.
 */
export async function unpack(
  program: string,
  args: readonly string[],
  most: number,
): Promise<Unpacked> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).arrayBuffer();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of child.stdout) {
    size += piece.length;
    // To read no further closes the pipe, which ends the program.
    if (size > most) break;
    pieces.push(piece);
  }
  const { code } = await child.status;
  const stderr = new Uint8Array(await said);
  if (size > most) return { code, bytes: null, stderr };
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { code, bytes, stderr };
}
