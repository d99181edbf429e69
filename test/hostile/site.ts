import type { HostileText } from "./texts.ts";

/** The content of a folder: for each path below it a text with its kind, size, time and mode. */
export type Listing = ReadonlyMap<string, string>;

// Older than any case, so that every write to a file changes its time.
const LONG_AGO = new Date(1_000_000_000_000);

/** The folder of a case, in which it runs. */
export class Site {
  /** Its absolute path. */
  readonly folder: string;
  /** The folder of the format's shared material. */
  readonly shared: string;

  constructor(folder: string, shared: string) {
    this.folder = folder;
    this.shared = shared;
  }

  /** Writes a file, makes the folders above it, and returns its absolute path. */
  write(name: string, content: Uint8Array | string): string {
    const path = `${this.folder}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, LONG_AGO, LONG_AGO);
    return path;
  }

  /** Makes a folder and returns its absolute path. */
  directory(name: string): string {
    const path = `${this.folder}/${name}`;
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  /** Makes a symbolic link, which may be dangling. */
  link(target: string, name: string): void {
    Deno.symlinkSync(target, `${this.folder}/${name}`);
  }

  /** Makes a named pipe, to which nobody writes. */
  async pipe(name: string): Promise<void> {
    await new Deno.Command("mkfifo", { args: [`${this.folder}/${name}`] }).output();
  }

  /** Whether the name exists, even as a dangling link. */
  has(name: string): boolean {
    try {
      Deno.lstatSync(`${this.folder}/${name}`);
      return true;
    } catch {
      return false;
    }
  }

  /** Lists its content. */
  list(): Listing {
    const found = new Map<string, string>();
    const walk = (below: string) => {
      for (const { name } of Deno.readDirSync(`${this.folder}${below}`)) {
        const path = `${below}/${name}`;
        const info = Deno.lstatSync(`${this.folder}${path}`);
        const kind = info.isFile ? "file" : info.isDirectory ? "folder" : "other";
        const rest = info.isFile ? ` ${info.size} ${info.ino} ${info.mtime?.getTime()}` : "";
        found.set(path.slice(1), `${kind}${rest} ${info.mode}`);
        if (info.isDirectory) walk(path);
      }
    };
    walk("");
    return found;
  }
}

/** Makes a file name from a hostile text, without characters that no name can have. */
export function fileName(text: HostileText): string {
  const name = text.replaceAll(/[/\0]/g, "_").slice(0, 60);
  return name === "" || name === "." || name === ".." ? "x" : name;
}
