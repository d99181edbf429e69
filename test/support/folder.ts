// Temporary folders for the files of a test.

/** A temporary folder, removed when it is disposed. */
export class Folder implements AsyncDisposable {
  /** Its absolute path. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.realPath(await Deno.makeTempDir({ prefix: "dirtyring-test-" })));
  }

  /** Writes a file, makes the folders above it, and returns its path. */
  async write(name: string, content: Uint8Array | string = ""): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    return path;
  }

  /** Writes an executable shell script. */
  async program(name: string, text: string): Promise<string> {
    const path = await this.write(name, `#!/bin/sh\n${text}\n`);
    await Deno.chmod(path, 0o755);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Calls a function with a temporary folder. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await using folder = await Folder.make();
  return await work(folder.path);
}
