// Errors that name the limit when file descriptors, memory, processes or threads have run out.
import { ERRNO, HostError, KernelError } from "../ffi/errors.ts";
import { SIGXFSZ } from "../ffi/linux.ts";
import { ignoreSignal, resourceLimit } from "../ffi/process.ts";
import { fileErrno, GuestError, UsageError } from "./errors.ts";

const MIB = 2 ** 20;
/**
 * This program's own errors. Their texts may quote anything, so an errno found in them means
 * nothing.
 */
const OWN = [UsageError, HostError, GuestError];
/** A file that exists and may be read. */
const OWN_FILE = import.meta.filename ?? new URL(import.meta.url);
/** The file descriptors that Deno 2.9 needs to start a Worker. */
const OF_A_THREAD = 7;

/** By errno: what has run out, and what to do. */
const ADVICE: Readonly<Record<number, () => string>> = {
  [ERRNO.EMFILE]: () =>
    `${limited("RLIMIT_NOFILE", "file descriptors")} this process's limit (ulimit -n): raise it`,
  [ERRNO.ENFILE]: () => "the limit of the whole system (sysctl fs.file-max): raise it",
  [ERRNO.ENOMEM]: () => {
    const bytes = resourceLimit("RLIMIT_AS");
    return bytes === null
      ? "this host, or its cgroup (memory.max), has no more: ask for less, or end something else"
      : `${
        Math.floor(bytes / MIB)
      } MiB of addresses are this process's limit (ulimit -v): raise it`;
  },
  [ERRNO.EAGAIN]: () =>
    `${limited("RLIMIT_NPROC", "processes and threads")} this user's limit (ulimit -u), or a ` +
    "cgroup's (pids.max) is reached: raise it",
};

function limited(name: "RLIMIT_NOFILE" | "RLIMIT_NPROC", what: string): string {
  const limit = resourceLimit(name);
  return limit === null ? `as many ${what} as there are now are` : `${limit} ${what} are`;
}

/**
 * Turns an error about exhausted descriptors, memory, processes or threads into one that names the
 * limit. Deno reports exhaustion in errors of many kinds: of files, of programs to start, of
 * modules that are loaded late.
 *
 * @example
 * ```ts
 * import { exhaustion } from "./exhaustion.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const error = new Error("Failed to spawn '/bin/true': Too many open files in system (os error 23)");
 * assertStringIncludes(exhaustion(error)!.message, "spawn(/bin/true): ENFILE");
 * ```
 *
 * @returns The error with advice that names the limit; `null` if nothing has run out.
 */
export function exhaustion(error: unknown): KernelError | null {
  if (error instanceof KernelError) {
    const advice = ADVICE[error.errno];
    // An error that has advice keeps it. EAGAIN of a kernel call asks to try again: it does not
    // mean that threads have run out.
    const isKept = error.advice !== null || error.errno === ERRNO.EAGAIN || advice === undefined;
    return isKept ? null : error.advising(advice());
  }
  const errno = fileErrno(error);
  if (errno === null || !(error instanceof Error)) return null;
  if (OWN.some((kind) => error instanceof kind)) return null;
  const call = callOf(error.message);
  return errno === ERRNO.EAGAIN && !call.startsWith("spawn(") ? null : named(call, errno);
}

/**
 * Turns the failure to start a thread into an error that names the limit.
 *
 * @param error What `new Worker()` threw.
 * @param what Whose thread it is, for the error.
 * @returns The error to throw; the given one if nothing has run out.
 */
export function threadFailure(error: unknown, what: string): unknown {
  const errno = fileErrno(error);
  return errno === null ? error : named(`clone(), a thread for ${what}`, errno) ?? error;
}

/**
 * Checks that file descriptors are left, before a call of Deno that panics without them.
 *
 * @param what What they are for, for the error.
 * @throws {KernelError} If fewer are left.
 */
export function needDescriptors(count: number, what: string): void {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < count) files.push(Deno.openSync(OWN_FILE));
  } catch (error) {
    const errno = fileErrno(error);
    for (const file of files.splice(0)) file.close();
    // If this file may not be read, nothing can be checked.
    if (errno !== ERRNO.EMFILE && errno !== ERRNO.ENFILE) return;
    throw named(`${count} file descriptors for ${what}`, errno);
  }
  for (const file of files) file.close();
}

/**
 * Checks, like {@linkcode needDescriptors}, that file descriptors are left to start threads.
 *
 * @param count How many threads.
 * @param what Whose threads they are, for the error.
 * @throws {KernelError} If fewer file descriptors are left than that needs.
 */
export function needThreads(count: number, what: string): void {
  needDescriptors(OF_A_THREAD * count, what);
}

/** The messages of a Deno that cannot start, each with the errno behind it. */
const LAST_WORDS: readonly (readonly [RegExp, number])[] = [
  [/Too many open files in system/, ERRNO.ENFILE],
  [/Too many open files/, ERRNO.EMFILE],
  [/unable to create worker threads|Resource temporarily unavailable/, ERRNO.EAGAIN],
  [/out of memory|Cannot allocate memory/i, ERRNO.ENOMEM],
];

/**
 * Recognizes the limit that ended a child process of this program.
 *
 * @param what The process, for the error.
 * @param words What it wrote to standard error.
 * @returns The error that names the limit; `null` if the words name none.
 */
export function denoShortage(what: string, words: string): KernelError | null {
  const found = LAST_WORDS.find(([said]) => said.test(words));
  return found === undefined ? null : named(what, found[1]);
}

function named(call: string, errno: number): KernelError | null {
  const advice = ADVICE[errno];
  return advice === undefined ? null : new KernelError(call, -errno, { advice: advice() });
}

// The call that failed, from Deno's error message.
function callOf(message: string): string {
  const spawned = /^Failed to spawn '(.*?)': /.exec(message);
  if (spawned !== null) return `spawn(${spawned[1]})`;
  const imported = /^Import '(.*?)' failed/.exec(message);
  if (imported !== null) return `import(${imported[1]!.replace(/^file:\/\//, "")})`;
  const called = /\(os error \d+\): (\w+) '(.*)'/s.exec(message);
  return called === null ? "a call of the system" : `${called[1]}(${called[2]})`;
}

const SHELL = "/bin/sh";

let isSurvived = false;
let isListenedTo = false;

/**
 * Makes a write beyond the file size limit (`ulimit -f`) fail with EFBIG, like a write to a full
 * disk. Otherwise the kernel ends the process with SIGXFSZ. If signals cannot be ignored, this adds
 * a listener instead and never removes it, since Deno ends the process by itself when a signal
 * arrives whose last listener was just removed.
 */
export function surviveFileLimit(): void {
  if (isSurvived || Deno.build.os === "windows") return;
  if (!ignoreSignal(SIGXFSZ)) {
    try {
      needDescriptors(2, "the signal SIGXFSZ");
    } catch {
      return; // the next write reports it
    }
    Deno.addSignalListener("SIGXFSZ", () => {});
    isListenedTo = true;
  }
  isSurvived = true;
}

/**
 * How to start a program so that it survives the file size limit, too, if a shell may be started. A
 * program inherits ignored signals, but not listeners.
 *
 * @returns The program to start instead, which executes the given one, and its arguments.
 */
export function surviving(program: string, args: readonly string[]): [string, readonly string[]] {
  // Query first: a call without the permission would prompt the user at a terminal.
  const mayAsk = () => Deno.permissions.querySync({ name: "run", command: SHELL });
  if (!isListenedTo || mayAsk().state !== "granted") return [program, args];
  return [SHELL, ["-c", 'trap "" XFSZ; exec "$@"', "sh", program, ...args]];
}
