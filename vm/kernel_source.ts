// Finds the kernel that `--kernel` names, and the folder of its modules.
import { fileErrorText, fileShortage, UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import { IMAGE_HEAD_BYTES, type KernelImage, kernelImage } from "./elf.ts";
import { KernelFileError } from "./vm_failure.ts";

/** A kernel that was found. */
export interface KernelSource {
  /** The image. */
  readonly image: KernelImage;
  /** The folder of its modules; `null` where none is known. */
  readonly modules: string | null;
}

const IN_TREE = "arch/x86/boot/bzImage";

/**
 * Finds the kernel that `--kernel` names: an image, a tree in which one was built, or an unpacked
 * package.
 *
 * @param path The operand of `--kernel`.
 * @param modules The operand of `--modules`. `null` searches the tree, the folder of the image, an
 * unpacked package, and this host's `/lib/modules`.
 * @throws {KernelFileError} Where there is no kernel, or the file is something else.
 * @throws {UsageError} Where the operand of `--modules` is not a folder.
 */
export async function findKernel(path: string, modules: string | null): Promise<KernelSource> {
  const what = `--kernel ${printable(path)}`;
  const info = await stat(path);
  if (info === null) throw new KernelFileError(`${what}: no such file or folder`);
  const file = info.isDirectory ? await imageOf(path, what) : path;
  if (!info.isDirectory && !info.isFile) {
    throw new KernelFileError(`${what}: is no file; expected ${IN_TREE}, or a vmlinuz of /boot`);
  }
  const image = kernelImage(file, await headOf(file, what));
  if (typeof image === "string") {
    throw new KernelFileError(`${what}: ${file === path ? "" : `${printable(file)} `}${image}`);
  }
  if (modules !== null) return { image, modules: await givenModules(modules, image.release) };
  const { release } = image;
  const tree = file.endsWith(IN_TREE) ? file.slice(0, -IN_TREE.length) || "." : null;
  if (tree !== null && await stat(`${tree}/modules.order`) !== null) {
    return { image, modules: tree };
  }
  const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/")) : ".";
  if (await stat(`${folder}/modules.order`) !== null) return { image, modules: folder };
  // The layout of an unpacked package: boot/vmlinuz-RELEASE and lib/modules/RELEASE.
  for (const place of [`${folder}/..`, folder, ""]) {
    const modules = `${place}/lib/modules/${release}`;
    if (await stat(modules) !== null) return { image, modules };
  }
  return { image, modules: null };
}

async function imageOf(folder: string, what: string): Promise<string> {
  const built = `${folder}/${IN_TREE}`;
  if (await stat(built) !== null) return built;
  // Some distributions keep the image beside its modules.
  if (await stat(`${folder}/vmlinuz`) !== null) return `${folder}/vmlinuz`;
  const names = await list(`${folder}/boot`) ?? await list(folder) ?? [];
  const images = names.filter((name) => name.startsWith("vmlinuz-")).sort();
  const place = await list(`${folder}/boot`) === null ? folder : `${folder}/boot`;
  if (images.length === 1) return `${place}/${images[0]}`;
  if (images.length > 1) {
    throw new KernelFileError(
      `${what}: holds ${printable(images.join(" and "))}; expected --kernel ${
        printable(`${place}/${images[0]}`)
      }, or another`,
    );
  }
  const isTree = await stat(`${folder}/Kbuild`) !== null;
  throw new KernelFileError(
    isTree
      ? `${what}: no ${IN_TREE} in it; build it with \`make bzImage\``
      : `${what}: holds no kernel; expected a built tree, an unpacked package, or an image`,
  );
}

async function headOf(file: string, what: string): Promise<Uint8Array> {
  try {
    using opened = await Deno.open(file);
    const head = new Uint8Array(IMAGE_HEAD_BYTES);
    let length = 0;
    while (length < head.length) {
      const got = await opened.read(head.subarray(length));
      if (got === null) break;
      length += got;
    }
    return head.subarray(0, length);
  } catch (error) {
    throw fileShortage(what, error) ?? new KernelFileError(`${what}: ${reason(error)}`);
  }
}

async function givenModules(folder: string, release: string): Promise<string> {
  const info = await stat(folder);
  if (info === null || !info.isDirectory) {
    throw new UsageError(
      `--modules ${printable(folder)}: ${
        info === null ? "no such folder" : "is no folder"
      }; expected ` +
        `/lib/modules/${printable(release)}, or the folder that has it`,
    );
  }
  for (const inside of [`lib/modules/${release}`, release]) {
    if (await stat(`${folder}/${inside}`) !== null) return `${folder}/${inside}`;
  }
  return folder;
}

async function stat(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    const what = printable(path);
    throw fileShortage(what, error) ?? new KernelFileError(`${what}: ${reason(error)}`);
  }
}

async function list(folder: string): Promise<string[] | null> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch {
    return null;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? fileErrorText(error) : String(error);
}
