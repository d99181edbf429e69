import { KernelError } from "../ffi/errors.ts";
import { fileErrorText, fileShortage, UsageError } from "../host/errors.ts";
import { printable, printableText } from "../text/printable.ts";

/** Writes a result to a file, atomically: the file appears only when it is complete. */
export class OutputFile {
  /** The option and the file as given, for errors. */
  readonly #what: string;
  readonly #path: string;
  /** The permissions of the file that it replaces; `null` if there is none. */
  readonly #mode: number | null;
  readonly #isDevice: boolean;
  #text = "";

  private constructor(what: string, path: string, mode: number | null, isDevice: boolean) {
    this.#what = what;
    this.#path = path;
    this.#mode = mode;
    this.#isDevice = isDevice;
  }

  /**
   * Checks that a result can be written there, and changes nothing.
   *
   * @param name The file, as the user gave it.
   * @param option The option that named it, for errors.
   * @throws {UsageError} If it cannot be written.
   * @throws {KernelError} If there is no room for it.
   */
  static async prepare(name: string, option = "--output"): Promise<OutputFile> {
    const what = `${option} ${printable(name)}`;
    return await refusing(what, async () => {
      const found = await existing(name);
      const path = found === null ? name : found.path;
      if (found?.info.isDirectory) throw new UsageError(`${what}: is a folder; expected a file`);
      const isDevice = found !== null && !found.info.isFile;
      if (found !== null && !isDevice) (await Deno.open(path, { write: true })).close();
      const file = new OutputFile(what, path, found?.info.mode ?? null, isDevice);
      if (!isDevice) file.#tryAside();
      return file;
    });
  }

  /** The result so far, so that it is not lost if it cannot be written. */
  get text(): string {
    return this.#text;
  }

  /**
   * Adds to the result. Control characters are escaped as for a terminal, since somebody will print
   * the file.
   *
   * @param chunks Lines with their line ends.
   * @returns Always true: more is wanted.
   */
  add(chunks: Iterable<string>): true {
    for (const chunk of chunks) this.#text += printableText(chunk);
    return true;
  }

  /**
   * Writes the result.
   *
   * @throws {UsageError} If it can no longer be written.
   * @throws {KernelError} If there is no room for it.
   */
  async write(): Promise<void> {
    await refusing(this.#what, async () => {
      // A device or a pipe cannot be replaced by a file, so it is written directly.
      if (this.#isDevice) return await Deno.writeTextFile(this.#path, this.#text);
      try {
        await this.#writeAside(this.#text);
        await Deno.rename(this.#aside, this.#path);
      } catch (error) {
        await Deno.remove(this.#aside).catch(() => {});
        throw error;
      }
    });
  }

  // A name unique to this process, in the same folder, so that a rename replaces the file
  // atomically.
  get #aside(): string {
    return `${this.#path}.${Deno.pid}.part`;
  }

  async #writeAside(text: string): Promise<void> {
    await Deno.writeTextFile(this.#aside, text, this.#asNew);
  }

  // Synchronous, so that no signal can leave the trial file behind: nobody listens for signals yet.
  #tryAside(): void {
    Deno.openSync(this.#aside, { write: true, ...this.#asNew }).close();
    Deno.removeSync(this.#aside);
  }

  get #asNew(): Pick<Deno.OpenOptions, "createNew" | "mode"> {
    return { createNew: true, ...(this.#mode === null ? {} : { mode: this.#mode & 0o777 }) };
  }
}

// The file to which a name resolves, through links; null if there is none.
async function existing(name: string): Promise<{ path: string; info: Deno.FileInfo } | null> {
  try {
    const path = await Deno.realPath(name);
    return { path, info: await Deno.stat(path) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function refusing<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const isTold = error instanceof UsageError || error instanceof KernelError;
    if (!(error instanceof Error) || isTold) throw error;
    throw fileShortage(what, error) ?? new UsageError(`${what}: ${reason(error)}`);
  }
}

function reason(error: Error): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno has no permission to write there (bin/dirtyring has it for all but /dev and /proc)";
  }
  return `${fileErrorText(error)}; expected a file that can be written`;
}
