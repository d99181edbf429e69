import { KernelError } from "../ffi/errors.ts";
import { fileShortage, UsageError } from "../host/errors.ts";
import { printable, printableText } from "../text/printable.ts";

/** A result on its way to a file: nothing is there before all is. */
export class OutputFile {
  /** The file as it was asked for, with its option: for errors. */
  readonly #what: string;
  readonly #path: string;
  /** The permissions of the file that it takes the place of; `null` where it takes none's. */
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
   * Looks whether a result can be written there, and leaves all as it is.
   *
   * @param name The file, as it was written.
   * @param option The option that named it, for errors.
   * @throws {UsageError} Where it cannot.
   * @throws {KernelError} Where there is no room for it.
   */
  static async prepare(name: string, option = "--output"): Promise<OutputFile> {
    const what = `${option} ${printable(name)}`;
    return await refusing(what, async () => {
      const found = await existing(name);
      const path = found === null ? name : found.path;
      if (found?.info.isDirectory) throw new UsageError(`${what}: is a folder`);
      const isDevice = found !== null && !found.info.isFile;
      if (found !== null && !isDevice) (await Deno.open(path, { write: true })).close();
      const file = new OutputFile(what, path, found?.info.mode ?? null, isDevice);
      if (!isDevice) file.#tryAside();
      return file;
    });
  }

  /** The result so far, which is not lost where it cannot be written. */
  get text(): string {
    return this.#text;
  }

  /**
   * Adds to the result. Control characters are escaped as on their way to a terminal: somebody will print the file.
   *
   * @param chunks Lines with their ends.
   * @returns Whether more is wanted: always.
   */
  add(chunks: Iterable<string>): true {
    for (const chunk of chunks) this.#text += printableText(chunk);
    return true;
  }

  /**
   * Writes the result.
   *
   * @throws {UsageError} Where it cannot be written any more.
   * @throws {KernelError} Where there is no room for it.
   */
  async write(): Promise<void> {
    await refusing(this.#what, async () => {
      // A device or a pipe cannot be replaced by a file, nor be written whole.
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

  // A name of this process's own, in the same folder: renaming then replaces the file at once.
  get #aside(): string {
    return `${this.#path}.${Deno.pid}.part`;
  }

  async #writeAside(text: string): Promise<void> {
    await Deno.writeTextFile(this.#aside, text, this.#asNew);
  }

  // Nobody listens for signals yet: what is made is taken back at once, with no turn of the event loop between.
  #tryAside(): void {
    Deno.openSync(this.#aside, { write: true, ...this.#asNew }).close();
    Deno.removeSync(this.#aside);
  }

  get #asNew(): Pick<Deno.OpenOptions, "createNew" | "mode"> {
    return { createNew: true, ...(this.#mode === null ? {} : { mode: this.#mode & 0o777 }) };
  }
}

// What a name leads to, whatever links lead there; null where there is nothing.
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
  // Behind the system's words Deno names its own function and a path.
  return error.message.replace(/: \w+ '.*$/s, "");
}
