// Folders for files that a test makes.

/** A folder that goes with its test. */
export class Folder implements AsyncDisposable {
  /** Where it is. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.realPath(await Deno.makeTempDir({ prefix: "dirtyring-test-" })));
  }

  /** Writes a file, with the folders that lead to it, and answers its path. */
  async write(name: string, content: Uint8Array | string = ""): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    return path;
  }

  /** Writes a program that a shell runs. */
  async program(name: string, text: string): Promise<string> {
    const path = await this.write(name, `#!/bin/sh\n${text}\n`);
    await Deno.chmod(path, 0o755);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Does something with a folder of its own, which is removed afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await using folder = await Folder.make();
  return await work(folder.path);
}
