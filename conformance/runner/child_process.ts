// The parent's side of the process that runs the checks: starting it, asking it, ending it.
// `run_check.ts` has the child's side.
import { HostError, KernelError } from "../../ffi/errors.ts";
import type { TraceOrder } from "../../ffi/kernel.ts";
import { denoShortage, surviving } from "../../host/exhaustion.ts";
import type { CheckRun } from "../kit/check.ts";
import type { Pace } from "../kit/pace.ts";
import { type ChildLine, linesOf, PACE, parseChildLine } from "./run_check.ts";

/** How a child process ended. */
export interface Ending {
  /** The signal that ended it, or `null`. */
  readonly signal: Deno.Signal | null;
  /** A description of the end. */
  readonly text: string;
}

/**
 * What comes of asking a child for a check: the run, the end of the child, or why the wait ended.
 */
export type ChildAnswer = CheckRun | Ending | Waited;

/** What comes of asking a child for this host's speed; `null` where it could not measure it. */
export type PaceAnswer = Pace | null | Ending | Waited;

/** The longest that Deno may take to start, and that a killed process may take to disappear. */
const PATIENCE_MS = 120_000;
const DEATH_MS = 5_000;
/** The longest that a child may take to exit by itself. */
const LEAVE_MS = 1_000;

const NEVER = new AbortController().signal;

/** How many characters of a child's standard error are kept. */
const LAST_WORDS = 4096;

/** A process that runs checks, seen from the parent. */
export class ChildProcess {
  readonly #process: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;
  readonly #listening: Promise<void>;
  #words = "";
  #isOver = false;

  private constructor(process: Deno.ChildProcess, isTraced: boolean) {
    this.#process = process;
    this.#requests = process.stdin.getWriter();
    this.#lines = linesOf(process.stdout);
    this.#listening = isTraced ? Promise.resolve() : this.#listen(process.stderr);
  }

  /**
   * Starts a child with those of this process's permissions that it needs.
   *
   * @param module The child's program.
   * @param isTraced Whether the child's stderr is passed on as it comes.
   * @param abort Cancels the start.
   * @returns The child, or `null` where the start was cancelled.
   * @throws {HostError} Where it cannot be started.
   * @throws {KernelError} Where descriptors, memory or threads are too few for it to start.
   */
  static async start(
    module: URL,
    args: readonly string[],
    isTraced: boolean,
    abort: AbortSignal,
  ): Promise<ChildProcess | null> {
    const child = new ChildProcess(spawn(module, args, isTraced), isTraced);
    const first = await child.#next(PATIENCE_MS, abort);
    if (first === "aborted") {
      await child.kill();
      return null;
    }
    if (typeof first === "object" && "kind" in first && first.kind === "ready") return child;
    await child.kill();
    const why = first === "late" ? "it did not begin" : "text" in first ? first.text : first.kind;
    const what = `the process that makes the checks (${module.pathname})`;
    throw denoShortage(what, child.#words) ??
      new HostError(`${what}: ${why}`, "run bin/dirtyring with --verbose");
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Asks the child to run a check.
   *
   * @param ms The longest that the check may take, in milliseconds.
   * @param abort Cancels the wait.
   * @throws {HostError} Where the child says that this host cannot be used at all.
   * @throws {KernelError} Where the child says that no file descriptor is left.
   */
  async ask(id: string, ms: number, abort: AbortSignal): Promise<ChildAnswer> {
    const line = await this.#request(id, ms, abort);
    if (typeof line === "string" || "text" in line) return line;
    return line.kind === "run" && line.id === id ? line.run : await this.#strange();
  }

  /**
   * Asks the child to measure this host's speed.
   *
   * @param ms The longest that it may take, in milliseconds.
   * @param abort Cancels the wait.
   * @throws {HostError} Where the child says that this host cannot be used at all.
   * @throws {KernelError} Where the child says that no file descriptor is left.
   */
  async pace(ms: number, abort: AbortSignal): Promise<PaceAnswer> {
    const line = await this.#request(PACE, ms, abort);
    if (typeof line === "string" || "text" in line) return line;
    return line.kind === "pace" ? line.pace : await this.#strange();
  }

  async #request(what: string, ms: number, abort: AbortSignal) {
    // The write fails where the child has ended. That is noticed when its answer is read, below.
    this.#requests.write(new TextEncoder().encode(`${what}\n`)).catch(() => {});
    const line = await this.#next(ms, abort);
    if (typeof line === "string" || "text" in line) return line;
    if (line.kind !== "unusable" && line.kind !== "exhausted") return line;
    await this.kill();
    throw line.kind === "unusable"
      ? new HostError(line.what, line.advice)
      : new KernelError(line.call, -line.errno);
  }

  async #strange(): Promise<Ending> {
    await this.kill();
    return { signal: null, text: "answered what it was not asked" };
  }

  /**
   * Kills the child (SIGKILL).
   *
   * @returns Whether it is gone: a process can hang in the kernel.
   */
  async kill(): Promise<boolean> {
    if (this.#isOver) return true;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It had ended already.
    }
    return await this.#gone(DEATH_MS);
  }

  /** Lets the child exit by itself, and kills it where it does not. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    await this.#requests.close().catch(() => {});
    if (!await this.#gone(LEAVE_MS)) await this.kill();
  }

  async #gone(ms: number): Promise<boolean> {
    const ended = await until(this.#process.status, ms, NEVER);
    if (typeof ended === "string") return false;
    this.#isOver = true;
    await this.#requests.abort().catch(() => {});
    // A process that the child started could still hold its pipes open.
    const drained = Promise.allSettled([this.#lines.return(undefined), this.#listening]);
    await until(drained, DEATH_MS, NEVER);
    return true;
  }

  async #next(ms: number, abort: AbortSignal): Promise<ChildLine | Ending | Waited> {
    const end = performance.now() + ms;
    for (;;) {
      const got = await until(this.#lines.next(), Math.max(0, end - performance.now()), abort);
      if (typeof got === "string") return got;
      if (got.done) return await this.#ending();
      const line = parseChildLine(got.value);
      if (line !== null) return line;
    }
  }

  async #ending(): Promise<Ending> {
    const { signal, code } = await this.#process.status;
    await this.#gone(DEATH_MS);
    const words = this.#words.trim().split("\n").find((line) => line !== "");
    const text = `ended its process: ${signal ?? `exit status ${code}`}`;
    return { signal, text: words === undefined ? text : `${text}: ${words}` };
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      if (this.#words.length < LAST_WORDS) this.#words += decoder.decode(chunk, { stream: true });
    }
  }
}

function spawn(module: URL, args: readonly string[], isTraced: boolean): Deno.ChildProcess {
  try {
    const flags = ["--quiet", "--no-prompt", "--no-config", "--no-lock"];
    const lazy = "--unstable-lazy-dynamic-imports";
    const [program, all] = surviving(
      Deno.execPath(),
      ["run", ...flags, lazy, ...childPermissions(module, args), module.href, ...args],
    );
    return new Deno.Command(program, {
      args: [...all],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: isTraced ? "inherit" : "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HostError(
      "Deno has no permission to start the process in which checks are made",
      "run bin/dirtyring, or add --allow-run to deno run",
    );
  }
}

/** Why a wait ended without a result: the time ran out, or it was cancelled. */
export type Waited = "late" | "aborted";

/**
 * Waits for a promise, up to a time limit.
 *
 * @param ms The limit, in milliseconds.
 * @param abort Cancels the wait.
 * @returns The promise's value, or why there is none. A value that comes later is ignored.
 */
export async function until<T>(
  thing: Promise<T>,
  ms: number,
  abort: AbortSignal,
): Promise<T | Waited> {
  if (abort.aborted) return "aborted";
  using stack = new DisposableStack();
  const waiting = new Promise<Waited>((resolve) => {
    const timer = setTimeout(() => resolve("late"), ms);
    const listener = () => resolve("aborted");
    abort.addEventListener("abort", listener);
    stack.defer(() => {
      clearTimeout(timer);
      abort.removeEventListener("abort", listener);
    });
  });
  return await Promise.race([thing, waiting]);
}

/**
 * The permissions of a process that runs checks, never more than this process has. The child loads
 * the program's own files and calls libc if this process may; one check starts a process of its
 * own.
 *
 * @param module The child's program, which lies in the folder of all the program's files.
 * @param args The child's arguments. It may write the file of its trace, and nothing else.
 * @returns Options of `deno run`.
 */
function childPermissions(module: URL, args: readonly string[]): string[] {
  const isGranted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  // Deno cannot be given a path with a comma, so this process was not given one either.
  const folder = decodeURIComponent(new URL(".", module).pathname);
  return [
    ...(isGranted({ name: "ffi" }) ? ["--allow-ffi"] : []),
    ...tracePermissions(parseSetup(args).trace),
    isGranted({ name: "read" }) ? "--allow-read" : `--allow-read=${folder}`,
    isGranted({ name: "run" }) ? "--allow-run" : `--allow-run=${Deno.execPath()}`,
  ];
}

// Deno reads a comma as the end of a path, so that such a file needs the right to write them all.
function tracePermissions(trace: TraceOrder | null): string[] {
  if (trace === null || trace.file === null) return [];
  return [trace.file.includes(",") ? "--allow-write" : `--allow-write=${trace.file}`];
}

/** What a child needs to know before its first check. */
export interface ChildSetup {
  /** The kernel that answers. */
  readonly backend: "kvm" | "model";
  /** The model in the syntax of the command line; `undefined` for the latest. */
  readonly model: string | undefined;
  /** Whether checks that make the kernel warn may run. */
  readonly allowWarn: boolean;
  /** Whether checks that could harm a kernel may run. */
  readonly allowHarm: boolean;
  /** How every kernel call is traced; `null` if none is. */
  readonly trace: TraceOrder | null;
  /**
   * The path of the parent's {@linkcode import("./step_board.ts").StepBoard}; `null` where there is
   * none.
   */
  readonly steps: string | null;
}

/** Turns a setup into the child's arguments. */
export function setupArguments(setup: ChildSetup): string[] {
  const { backend, model, allowWarn, allowHarm, trace, steps } = setup;
  return [
    `--backend=${backend}`,
    ...(model === undefined ? [] : [`--model=${model}`]),
    ...(allowWarn ? ["--allow-warn"] : []),
    ...(allowHarm ? ["--allow-harm"] : []),
    ...(trace === null ? [] : [`--trace=${JSON.stringify(trace)}`]),
    ...(steps === null ? [] : [`--steps=${steps}`]),
  ];
}

/**
 * Reads a child's arguments; the inverse of {@linkcode setupArguments}.
 *
 * @example
 * ```ts
 * import { parseSetup, setupArguments } from "./child_process.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const model = { backend: "model", model: "v6.1+pml" } as const;
 * const setup = { ...model, allowWarn: true, allowHarm: false, trace: null };
 * assertEquals(parseSetup(setupArguments({ ...setup, steps: null })), { ...setup, steps: null });
 * ```
 */
export function parseSetup(args: readonly string[]): ChildSetup {
  const value = (name: string) =>
    args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  return {
    backend: value("--backend") === "model" ? "model" : "kvm",
    model: value("--model"),
    allowWarn: args.includes("--allow-warn"),
    allowHarm: args.includes("--allow-harm"),
    trace: JSON.parse(value("--trace") ?? "null"),
    steps: value("--steps") ?? null,
  };
}
