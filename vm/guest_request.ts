// What the host asks of a machine and what the machine answers, and where everything is in the
// machine.
import { readHostFile } from "../host/files.ts";

/** What the machine is asked to do. It is a file of the initramfs. */
export interface GuestRequest {
  /** The command line of dirtyring. */
  readonly args: readonly string[];
  /** The folder in which the command runs. */
  readonly cwd: string;
  /** The host's terminal; `null` where standard output is not a terminal. */
  readonly terminal: HostTerminal | null;
  /** Whether the host decided that standard output has colours. */
  readonly isColoured: boolean;
  /** Whether the host shows the command's progress. */
  readonly progress: boolean;
  /** What a result tells of this host's side. */
  readonly host: HostOrigin;
  /** Whether the command's standard input is {@linkcode STDIN}; otherwise it is empty. */
  readonly hasStdin: boolean;
  /**
   * Absolute paths of the host's files and folders that the command reads. In the machine they are
   * below {@linkcode STAGED}.
   */
  readonly inputs: readonly string[];
  /**
   * Absolute paths of files and folders that the command may write. What is there at the end is
   * sent back.
   */
  readonly outputs: readonly string[];
  /** KVM's modules, in load order. */
  readonly modules: readonly string[];
}

/** The host's terminal as it was when the machine was made. */
export interface HostTerminal {
  /** Its width. */
  readonly columns: number;
  /** Its height. */
  readonly rows: number;
  /** Whether it takes text alone, and no escape sequence. */
  readonly isDumb: boolean;
}

/** What a result made in a machine tells of the side that booted it. */
export interface HostOrigin {
  /** The whole command line, as it was given there. */
  readonly commandLine: readonly string[];
  /** The commit of the program's sources, which the machine does not have; `null` if unknown. */
  readonly commit: string | null;
}

/** How a command is started in a machine, beside its arguments: JSON, the first of them. */
export type GuestStart = Pick<GuestRequest, "terminal" | "isColoured" | "host" | "progress">;

/** Where the program is in the machine. */
export const PROGRAM = "/dirtyring";
/** Where Deno is in the machine. */
export const DENO = "/bin/deno";
/** Where Deno's cache is in the machine. */
export const DENO_DIR = "/deno";

/** Where the request is in the machine, as JSON. */
export const REQUEST = "/request/request.json";
/** Where the command's standard input is in the machine. */
export const STDIN = "/request/stdin";
/** The folder below which the host's files are, by their absolute paths. */
export const STAGED = "/request/files";
/** The folder of the modules, each `NAME.ko`. */
export const MODULES = "/request/modules";

/** How a command ended. */
export interface GuestEnd {
  /** The exit status; 128 plus the signal's number where a signal ended the command. */
  readonly code: number;
}

/** Why a machine has no usable KVM. */
export interface GuestProblem {
  /** Modules that the kernel refused, each with the errno. */
  readonly refused: readonly { readonly name: string; readonly errno: number }[];
  /** Lines of the kernel's log that mention KVM. */
  readonly words: readonly string[];
  /** The error of the machine's first process; `null` where only KVM is missing. */
  readonly error: string | null;
}

/**
 * A file that the command wrote. Its content follows in `bytes` frames, compressed ("deflate-raw");
 * the last one is empty.
 */
export interface GuestFile {
  /** The output of the request that it belongs to. */
  readonly output: string;
  /** Its name in that folder; empty where the output itself is the file. */
  readonly below: string;
}

/**
 * Reads an environment variable of this process from /proc, since Deno would need another
 * permission for it.
 *
 * @returns The value, or `null` where it is unset or empty.
 */
export function environment(name: string): string | null {
  const text = new TextDecoder().decode(readHostFile("/proc/self/environ"));
  const found = text.split("\0").find((one) => one.startsWith(`${name}=`));
  return found?.slice(name.length + 1) || null;
}

/**
 * The cache folder, by default `~/.cache/dirtyring/vm`. Creates it where it is missing.
 *
 * @returns The path; `null` where there is no home folder, or the folder cannot be created.
 */
export async function cacheFolder(): Promise<string | null> {
  const home = environment("HOME");
  const set = environment("XDG_CACHE_HOME");
  // The XDG specification says that a relative path is to be ignored.
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
