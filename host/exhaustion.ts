import { ERRNO, HostError, KernelError } from "../ffi/errors.ts";
import { SIGXFSZ } from "../ffi/linux.ts";
import { ignoreSignal, resourceLimit } from "../ffi/process.ts";
import { fileErrno, GuestError, UsageError } from "./errors.ts";

const MIB = 2 ** 20;
/** What this program says itself, and may quote anything in. */
const OWN = [UsageError, HostError, GuestError];
/** A file that may be read, and is there. */
const OWN_FILE = import.meta.filename ?? new URL(import.meta.url);
/** File descriptors that Deno 2.9 needs to start a Worker. */
const OF_A_THREAD = 7;

/** What has run out, by errno, and what to do. */
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
 * An error that says that descriptors, memory, processes or threads have run out, as one that names the limit. Deno
 * tells it in errors of many kinds: of files, of programs that are started, of modules that are loaded when they are
 * needed.
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
 * @returns The error with the limit in it; `null` where nothing has run out.
 */
export function exhaustion(error: unknown): KernelError | null {
  if (error instanceof KernelError) {
    const advice = ADVICE[error.errno];
    // One that gives advice knows better; a call that is to be tried again is no thread that was not made.
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
 * A thread that could not be started, as an error that names the limit.
 *
 * @param error What `new Worker()` threw.
 * @param what Whose thread.
 * @returns The error to throw.
 */
export function threadFailure(error: unknown, what: string): unknown {
  const errno = fileErrno(error);
  return errno === null ? error : named(`clone(), a thread for ${what}`, errno) ?? error;
}

/**
 * Makes sure of file descriptors before Deno needs them where it panics without.
 *
 * @param what What for, for the error.
 * @throws {KernelError} Where there are not so many.
 */
export function needDescriptors(count: number, what: string): void {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < count) files.push(Deno.openSync(OWN_FILE));
  } catch (error) {
    const errno = fileErrno(error);
    for (const file of files.splice(0)) file.close();
    // Where its own file may not be read nothing can be said.
    if (errno !== ERRNO.EMFILE && errno !== ERRNO.ENFILE) return;
    throw named(`${count} file descriptors for ${what}`, errno);
  }
  for (const file of files) file.close();
}

/**
 * As {@linkcode needDescriptors}, before threads are started.
 *
 * @param count How many threads.
 * @param what Whose threads, for the error.
 * @throws {KernelError} Where there are not enough file descriptors.
 */
export function needThreads(count: number, what: string): void {
  needDescriptors(OF_A_THREAD * count, what);
}

/** What a Deno that cannot start says last, and the errno behind it. */
const LAST_WORDS: readonly (readonly [RegExp, number])[] = [
  [/Too many open files in system/, ERRNO.ENFILE],
  [/Too many open files/, ERRNO.EMFILE],
  [/unable to create worker threads|Resource temporarily unavailable/, ERRNO.EAGAIN],
  [/out of memory|Cannot allocate memory/i, ERRNO.ENOMEM],
];

/**
 * What a process of this program's own died of, where that is a limit.
 *
 * @param what The process, for the error.
 * @param words What it said on standard error.
 * @returns The error that names the limit; `null` where it speaks of none.
 */
export function denoShortage(what: string, words: string): KernelError | null {
  const found = LAST_WORDS.find(([said]) => said.test(words));
  return found === undefined ? null : named(what, found[1]);
}

function named(call: string, errno: number): KernelError | null {
  const advice = ADVICE[errno];
  return advice === undefined ? null : new KernelError(call, -errno, { advice: advice() });
}

// What Deno was asked, of what it says.
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
 * Makes a file that may not grow any more (`ulimit -f`) an error of the write, EFBIG, as a full disk is one: without
 * it the kernel ends the process with SIGXFSZ. Where no signal can be ignored, it is listened to, and for good, since
 * Deno ends the process by itself where a signal comes whose last listener has just gone.
 */
export function surviveFileLimit(): void {
  if (isSurvived || Deno.build.os === "windows") return;
  if (!ignoreSignal(SIGXFSZ)) {
    try {
      needDescriptors(2, "the signal SIGXFSZ");
    } catch {
      return; // what is written next tells of it
    }
    Deno.addSignalListener("SIGXFSZ", () => {});
    isListenedTo = true;
  }
  isSurvived = true;
}

/**
 * How to start a program so that it survives the limit as this one does, where a shell may be started: it inherits what
 * is ignored, and not what is listened to.
 *
 * @returns What to start instead, which becomes the program, and its arguments.
 */
export function surviving(program: string, args: readonly string[]): [string, readonly string[]] {
  // Asked first: a call without permission would put the question to a person at a terminal.
  const mayAsk = () => Deno.permissions.querySync({ name: "run", command: SHELL });
  if (!isListenedTo || mayAsk().state !== "granted") return [program, args];
  return [SHELL, ["-c", 'trap "" XFSZ; exec "$@"', "sh", program, ...args]];
}
