import { fileErrorText, fileShortage } from "../lab/file_error.ts";
import { UsageError } from "../lab/usage_error.ts";

const NAME = /^epoch-(\d{6,})(-full)?\.ckpt$/;

/** What a file is called until it is whole. */
export const PART = ".part";

/** The name of an epoch's file: they sort in the order of their epochs, up to a million of them. */
export function checkpointName(epoch: number, kind: "full" | "incremental"): string {
  return `epoch-${`${epoch}`.padStart(6, "0")}${kind === "full" ? "-full" : ""}.ckpt`;
}

/** What a folder holds. */
export interface FolderListing {
  /** The files, by epoch. */
  readonly files: ReadonlyMap<number, string>;
  /** Files that were never finished. */
  readonly parts: readonly string[];
}

/**
 * Makes a folder for checkpoints, or takes an empty one.
 *
 * @param name The folder.
 * @throws {UsageError} Where it holds something, is no folder, or cannot be made.
 * @throws {KernelError} Where there is no room to make it.
 */
export async function prepareFolder(name: string): Promise<void> {
  try {
    await Deno.mkdir(name);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw refusal("--output", name, error);
  }
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      throw new UsageError(
        `--output ${name}: holds ${found} already; expected a new or an empty folder`,
      );
    }
  } catch (error) {
    throw refusal("--output", name, error);
  }
}

/**
 * Lists the checkpoints of a folder.
 *
 * @param name The folder.
 * @returns What it holds; other files are passed over.
 * @throws {UsageError} Where it cannot be read.
 */
export async function listFolder(name: string): Promise<FolderListing> {
  const files = new Map<number, string>();
  const parts: string[] = [];
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      const isPart = found.endsWith(PART);
      const match = NAME.exec(isPart ? found.slice(0, -PART.length) : found);
      if (match === null) continue;
      if (isPart) parts.push(found);
      else files.set(Number(match[1]), found);
    }
  } catch (error) {
    throw refusal("--restore", name, error);
  }
  return { files, parts: parts.sort() };
}

// What the system, or Deno, said about a folder.
function refusal(option: string, name: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UsageError) return error;
  return fileShortage(`${option} ${name}`, error) ??
    new UsageError(`${option} ${name}: ${fileErrorText(error)}; expected a folder`);
}
