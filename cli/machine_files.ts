// Transfers files between this host and a machine.
import { prepareFolder } from "../checkpoint/checkpoint_file.ts";
import { KernelError } from "../ffi/errors.ts";
import { fileErrorText, fileShortage, UsageError } from "../host/errors.ts";
import { readHostFile } from "../host/files.ts";
import { printable } from "../text/printable.ts";
import { FrameError } from "../vm/frames.ts";
import type { GuestFile } from "../vm/guest_request.ts";
import type { Command } from "./command.ts";
import { filesOf } from "./option.ts";
import { OutputFile } from "./output_file.ts";

/** The files of this host that a command in a machine reads and writes. */
export class MachineFiles {
  /** The files that it reads, by absolute path. */
  readonly files: Map<string, Uint8Array> = new Map();
  /** Absolute paths of the folders that it reads. */
  readonly folders: string[] = [];
  /** Absolute paths of the files and folders that it may write. */
  readonly outputs: string[] = [];
  /** Its standard input, if it reads that. */
  stdin: Uint8Array | null = null;
  /** Results that could not be written to their file. */
  readonly unwritten: { readonly why: string; readonly text: string }[] = [];
  readonly #written: Map<string, OutputFile> = new Map();

  /**
   * Reads the files that a command will read, and checks that the ones it will write can be
   * written.
   *
   * @param values The values of its options and operands.
   * @throws {UsageError} If a file cannot be read or written.
   */
  static async of(
    values: Readonly<Record<string, unknown>>,
    { name: command, options, operands }: Pick<Command, "name" | "options" | "operands">,
  ): Promise<MachineFiles> {
    const files = new MachineFiles();
    const all = Object.entries({ ...options, ...operands })
      .flatMap(([name, option]) =>
        filesOf(option, values[name]).map((file) => ({ name, ...file }))
      );
    for (const { name, path, use } of all) {
      const written = Object.hasOwn(options, name) ? `--${name}` : command;
      const what = `${written} ${printable(path)}`;
      const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
      if (use === "read" && path === "-") files.stdin = contentOf(null, what);
      else if (use === "read") files.files.set(absolute, contentOf(path, what));
      else if (use === "read folder") await files.#addFolder(path, absolute, what);
      else files.outputs.push(absolute);
      if (use === "write") {
        files.#written.set(absolute, await OutputFile.prepare(path, written));
      }
      if (use === "write folder") await prepareFolder(path);
    }
    return files;
  }

  /** Absolute paths of all files and folders that it reads. */
  get inputs(): string[] {
    const single = [...this.files.keys()].filter((path) =>
      !this.folders.some((folder) => path.startsWith(`${folder}/`))
    );
    return [...single, ...this.folders];
  }

  async #addFolder(path: string, absolute: string, what: string): Promise<void> {
    const folder = absolute.replace(/\/+$/, "");
    this.folders.push(folder);
    try {
      for await (const { name } of Deno.readDir(path)) {
        const found = `${path}/${name}`;
        if (await isFile(found)) this.files.set(`${folder}/${name}`, contentOf(found, what));
      }
    } catch (error) {
      const isTold = error instanceof UsageError || error instanceof KernelError;
      if (!(error instanceof Error) || isTold) throw error;
      throw fileShortage(what, error) ??
        new UsageError(`${what}: ${fileErrorText(error)}; expected a folder`);
    }
  }

  /**
   * Writes a file that the machine sent.
   *
   * @param packed Its bytes, compressed ("deflate-raw").
   * @throws {UsageError} If a file of a folder cannot be written. A single file that cannot be
   * written is kept in `unwritten` instead.
   * @throws {KernelError} If a file of a folder cannot be written for lack of room.
   */
  async take(file: GuestFile, packed: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const bytes = packed.pipeThrough(new DecompressionStream("deflate-raw"));
    const single = this.#written.get(file.output);
    if (single !== undefined) {
      const text = await textOf(bytes, file.output);
      single.add([text]);
      try {
        return await single.write();
      } catch (error) {
        if (!(error instanceof UsageError || error instanceof KernelError)) throw error;
        this.unwritten.push({ why: error.message, text });
        return;
      }
    }
    // A kernel under test may send anything: write only where the command was to write.
    const { output, below } = file;
    const isName = below !== "" && !below.startsWith(".") && !/[/\0]/.test(below);
    if (!isName || !this.outputs.includes(output)) return await bytes.cancel();
    const path = `${output}/${below}`;
    try {
      await Deno.writeFile(`${path}.part`, bytes);
      await Deno.rename(`${path}.part`, path);
    } catch (error) {
      await Deno.remove(`${path}.part`).catch(() => {});
      if (!(error instanceof Error)) throw error;
      const what = printable(path);
      throw fileShortage(what, error) ?? new UsageError(`${what}: ${fileErrorText(error)}`);
    }
  }
}

// Only files of a folder are read: a pipe would wait for its writer, and a link may be dangling.
async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

async function textOf(bytes: ReadableStream<Uint8Array>, name: string): Promise<string> {
  try {
    return await new Response(bytes).text();
  } catch {
    throw new FrameError(`the serial line of the machine carried ${printable(name)} damaged`);
  }
}

function contentOf(path: string | null, what: string): Uint8Array {
  try {
    return readHostFile(path);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw fileShortage(what, error) ?? new UsageError(`${what}: ${error.message}`);
  }
}
