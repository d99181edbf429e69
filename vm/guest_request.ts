import { readHostFile } from "../host/facts.ts";

/** What the machine is asked to do: a file of its initramfs. */
export interface GuestRequest {
  /** The command line of dirtyring. */
  readonly args: readonly string[];
  /** The folder in which it runs. */
  readonly cwd: string;
  /** Columns of the terminal that standard output is here; `null` where it is none. */
  readonly columns: number | null;
  /** Whether {@linkcode STDIN} is its standard input; otherwise that is empty. */
  readonly hasStdin: boolean;
  /** Files and folders of this host that it reads: they lie below {@linkcode STAGED}, by their absolute paths. */
  readonly inputs: readonly string[];
  /** Absolute paths of files and folders that it may write: what is there in the end is sent back. */
  readonly outputs: readonly string[];
  /** KVM's modules, in the order in which they are loaded. */
  readonly modules: readonly string[];
}

/** Where the program is in the machine. */
export const PROGRAM = "/dirtyring";
/** Where Deno is in the machine. */
export const DENO = "/bin/deno";
/** Where Deno's cache is in the machine. */
export const DENO_DIR = "/deno";

/** Where the request is, as JSON. */
export const REQUEST = "/request/request.json";
/** What the command reads from standard input. */
export const STDIN = "/request/stdin";
/** The folder below which the host's files have their absolute paths. */
export const STAGED = "/request/files";
/** The folder of the modules, `NAME.ko`. */
export const MODULES = "/request/modules";

/** How a command ended. */
export interface GuestEnd {
  /** Its exit status; where a signal ended it, 128 and the signal's number. */
  readonly code: number;
}

/** A machine that has no KVM that could be asked. */
export interface GuestProblem {
  /** Modules that the kernel did not take, with the errno. */
  readonly refused: readonly { readonly name: string; readonly errno: number }[];
  /** What the kernel's log says of KVM. */
  readonly words: readonly string[];
  /** What went wrong in the machine's first process; `null` where only KVM is missing. */
  readonly error: string | null;
}

/** A file that the command wrote: `bytes` frames follow, compressed ("deflate-raw"), an empty one last. */
export interface GuestFile {
  /** One of the request's outputs. */
  readonly output: string;
  /** Its name in a folder; empty where the output is the file. */
  readonly below: string;
}

/**
 * A variable of this process's environment, for which Deno would need a permission of its own.
 *
 * @returns Its value, or `null` where it is not set, or empty.
 */
export function environment(name: string): string | null {
  const text = new TextDecoder().decode(readHostFile("/proc/self/environ"));
  const found = text.split("\0").find((one) => one.startsWith(`${name}=`));
  return found?.slice(name.length + 1) || null;
}

/**
 * The folder for what is made once and used again, `~/.cache/dirtyring/vm`.
 *
 * @returns The folder, made if need be; `null` where there is no home, or it cannot be made.
 */
export async function cacheFolder(): Promise<string | null> {
  const home = environment("HOME");
  const set = environment("XDG_CACHE_HOME");
  // A relative one is to be ignored, says its specification.
  const cache = set?.startsWith("/") ? set : home === null ? null : `${home}/.cache`;
  if (cache === null) return null;
  const folder = `${cache}/dirtyring/vm`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return null;
  }
}
