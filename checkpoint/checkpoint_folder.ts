import type { Wording } from "../ffi/host_error.ts";
import { fileErrorText, fileShortage } from "../lab/file_error.ts";
import { ValueError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";

const NAME = /^epoch-(\d{6,})(?:-full)?\.ckpt$/;

/** What a file is called until it is whole. */
export const PART = ".part";

/** The name of an epoch's file: they sort in the order of their epochs, up to a million of them. */
export function checkpointName(epoch: number, kind: "full" | "incremental"): string {
  return `epoch-${`${epoch}`.padStart(6, "0")}${kind === "full" ? "-full" : ""}.ckpt`;
}

// The epoch whose file is called so: none where the name is only like it, with a 0 more for one, which would
// otherwise pass for the file of an epoch that is there, too.
function epochOf(name: string): number | null {
  const epoch = Number(NAME.exec(name)?.[1] ?? NaN);
  return name === checkpointName(epoch, epoch === 0 ? "full" : "incremental") ? epoch : null;
}

/** What a folder holds. */
export interface FolderListing {
  /** The files, by epoch. */
  readonly files: ReadonlyMap<number, string>;
  /** Files that were never finished. */
  readonly parts: readonly string[];
  /** All else that it holds. */
  readonly others: readonly string[];
}

/**
 * Makes a folder for checkpoints, or takes an empty one.
 *
 * @param name The folder.
 * @throws {ValueError} Where it holds something, is no folder, or cannot be made.
 * @throws {KernelError} Where there is no room to make it.
 */
export async function prepareFolder(name: string): Promise<void> {
  try {
    await Deno.mkdir(name);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw refusal("output", name, error);
  }
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      throw new ValueError(
        { output: name },
        (value) =>
          `${value("output")} ${printable(name)}: holds ${printable(found)} already; ` +
          "expected a new or an empty folder",
      );
    }
  } catch (error) {
    throw refusal("output", name, error);
  }
}

/**
 * Lists the checkpoints of a folder: what has a name that {@linkcode checkpointName} gives.
 *
 * @param name The folder.
 * @returns What it holds.
 * @throws {ValueError} Where it cannot be read.
 */
export async function listFolder(name: string): Promise<FolderListing> {
  const files = new Map<number, string>();
  const parts: string[] = [];
  const others: string[] = [];
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      const isPart = found.endsWith(PART);
      const epoch = epochOf(isPart ? found.slice(0, -PART.length) : found);
      if (epoch === null) others.push(found);
      else if (isPart) parts.push(found);
      else files.set(epoch, found);
    }
  } catch (error) {
    throw refusal("restore", name, error);
  }
  return { files, parts: parts.sort(), others: others.sort() };
}

// What the system, or Deno, said about a folder.
function refusal(value: "output" | "restore", folder: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ValueError) return error;
  const what: Wording = (name) => `${name(value)} ${printable(folder)}`;
  const why = fileErrorText(error);
  return fileShortage(what, error) ??
    new ValueError({ [value]: folder }, (name) => `${what(name)}: ${why}; expected a folder`);
}
