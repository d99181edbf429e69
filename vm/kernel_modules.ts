// Finds the KVM modules of a kernel and what they depend on.
import { HostError } from "../ffi/errors.ts";
import { fileErrorText, fileShortage } from "../host/errors.ts";
import { exhaustion } from "../host/exhaustion.ts";
import { printable } from "../text/printable.ts";
import { Elf } from "./elf.ts";
import { KernelFileError } from "./vm_failure.ts";

/** A kernel module, as init_module(2) takes it. */
export interface KernelModule {
  /** The module's name with underscores, as the kernel writes it: `kvm_amd`. */
  readonly name: string;
  /** The ELF file. */
  readonly image: Uint8Array;
}

/**
 * For each file extension, the command that decompresses such a module; `null` where it is not
 * compressed.
 */
const PACKERS: Readonly<Record<string, readonly string[] | null>> = {
  ".ko": null,
  ".ko.gz": ["gzip", "-dc"],
  ".ko.xz": ["xz", "-dc"],
  ".ko.zst": ["zstd", "-dc", "--quiet"],
};
/** The largest decompressed module, in bytes: more than any real one. */
const MOST_BYTES = 64 * 2 ** 20;
/** Folders of a tree or a package that hold KVM and what it depends on. */
const LIKELY = ["arch/x86/kvm", "virt/lib", "drivers/crypto/ccp"]
  .flatMap((place) => [place, `kernel/${place}`]);

/**
 * Finds a module and all that it depends on, in load order. Dependencies are read from the modules
 * themselves (`depends=` in `.modinfo`), since an unpacked package has no `modules.dep`.
 *
 * @param folder A folder of modules: `/lib/modules/RELEASE`, or a built tree.
 * @param wanted The module's name, `kvm_amd`.
 * @param release The kernel's release, for which the modules must have been built.
 * @returns The modules, the wanted one last; none where the folder does not have it, for example
 * because it is built in.
 * @throws {KernelFileError} Where a dependency is missing, or a module is of another release or
 * cannot be read.
 * @throws {HostError} Where the program that decompresses a module is missing.
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
    // Reading all folders takes a second, so do it only where a module is not in its usual place.
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

/**
 * Converts a file's name to a module's name: files may have dashes where the kernel has
 * underscores.
 */
function moduleName(text: string): string {
  return text.replaceAll("-", "_");
}

/**
 * Reads the tags of a module.
 *
 * @param image The ELF file.
 * @returns The first value of each tag, by name; empty where the file is not a module.
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

// Lists module files in some folders, by module name.
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

// Reads the folders from `modules.order`, which lists all modules: as `.o` or `.ko` in a tree,
// without a compression suffix in a package.
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
    return []; // a kernel may be built without any of these
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

/** The outcome of a program that decompresses. */
export interface Unpacked {
  /** The program's exit status. */
  readonly code: number;
  /** The decompressed file; `null` where it exceeded the limit and the program was stopped. */
  readonly bytes: Uint8Array | null;
  /** The program's standard error. */
  readonly stderr: Uint8Array;
}

/**
 * Runs a program that decompresses a file, up to a limit: a small file can hold gigabytes.
 *
 * @param args The program's arguments, including the file.
 * @param most The limit, in bytes.
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
    // Leaving the loop closes the pipe, which ends the program.
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
