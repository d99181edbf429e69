import { HostError, KernelError } from "../../ffi/errors.ts";
import { denoShortage, surviving } from "../../host/exhaustion.ts";
import type { CheckRun } from "../kit/check.ts";
import type { Pace } from "../kit/pace.ts";
import { type ChildLine, linesOf, PACE, parseChildLine } from "./run_check.ts";

/** How a child came to its end. */
export interface Ending {
  /** The signal that ended it, or `null`. */
  readonly signal: Deno.Signal | null;
  /** What it came to, in words. */
  readonly text: string;
}

/** What a child answers: the run of a check, or its own end. */
export type ChildAnswer = CheckRun | Ending | Waited;

/** What a child answers to how fast this host is: `null` where it could not measure it. */
export type PaceAnswer = Pace | null | Ending | Waited;

/** The longest that Deno may take to start, and that a killed process may take to go. */
const PATIENCE_MS = 120_000;
const DEATH_MS = 5_000;
/** The longest that a child may take to leave by itself. */
const LEAVE_MS = 1_000;

const NEVER = new AbortController().signal;

/** As much of a child's last words as is kept, in characters. */
const LAST_WORDS = 4096;

/** A process that makes checks, from the parent's side. */
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
   * Starts a child, with the permissions of this process that it needs.
   *
   * @param module Its program.
   * @param isTraced Whether what it says on stderr is to be seen as it comes.
   * @param abort Calls the waiting for its start off.
   * @returns The child, or `null` where its start was called off.
   * @throws {HostError} Where it cannot be started.
   * @throws {KernelError} Where it finds too few descriptors, too little memory, or no thread to start with.
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
   * Lets it make a check.
   *
   * @param id The check's id.
   * @param ms The longest that the check may take.
   * @param abort Calls the waiting off.
   * @throws {HostError} Where it says that this host cannot be used at all.
   * @throws {KernelError} Where it says that no file descriptor is left.
   */
  async ask(id: string, ms: number, abort: AbortSignal): Promise<ChildAnswer> {
    const line = await this.#request(id, ms, abort);
    if (typeof line === "string" || "text" in line) return line;
    return line.kind === "run" && line.id === id ? line.run : await this.#strange();
  }

  /**
   * Lets it measure this host.
   *
   * @param ms The longest that it may take.
   * @param abort Calls the waiting off.
   * @throws {HostError} Where it says that this host cannot be used at all.
   * @throws {KernelError} Where it says that no file descriptor is left.
   */
  async pace(ms: number, abort: AbortSignal): Promise<PaceAnswer> {
    const line = await this.#request(PACE, ms, abort);
    if (typeof line === "string" || "text" in line) return line;
    return line.kind === "pace" ? line.pace : await this.#strange();
  }

  async #request(what: string, ms: number, abort: AbortSignal) {
    // A child that is gone does not read: its end is found below.
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
   * Ends it, whatever it does.
   *
   * @returns Whether it is gone.
   */
  async kill(): Promise<boolean> {
    if (this.#isOver) return true;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It had gone already.
    }
    return await this.#gone(DEATH_MS);
  }

  /** Lets it leave by itself, or ends it where it does not. */
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
    // What it started itself could still hold its pipes.
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
      ["run", ...flags, lazy, ...childPermissions(module), module.href, ...args],
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

/** What stopped the waiting: the time ran out, or somebody called it off. */
export type Waited = "late" | "aborted";

/**
 * Waits for something, but not for ever.
 *
 * @param thing What to wait for.
 * @param ms The longest time, in milliseconds.
 * @param abort Calls it off.
 * @returns What came, or why nothing did. A thing that comes later is not looked at again.
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
 * The permissions of a process that makes checks: no more than this process has. It loads the program's
 * own files, calls libc where this process may, and one check starts a process of its own.
 *
 * @param module Its program, in the program's folder.
 * @returns Options of `deno run`.
 */
function childPermissions(module: URL): string[] {
  const isGranted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  // A path with a comma cannot be named to Deno, and so was not named to this process either.
  const folder = decodeURIComponent(new URL(".", module).pathname);
  return [
    ...(isGranted({ name: "ffi" }) ? ["--allow-ffi"] : []),
    isGranted({ name: "read" }) ? "--allow-read" : `--allow-read=${folder}`,
    isGranted({ name: "run" }) ? "--allow-run" : `--allow-run=${Deno.execPath()}`,
  ];
}

/** What a child has to know before its first check. */
export interface ChildSetup {
  /** The kernel that answers. */
  readonly backend: "kvm" | "model";
  /** The model as it is written on a command line; `undefined` is the latest. */
  readonly model: string | undefined;
  /** Whether checks that make the kernel warn may run. */
  readonly allowWarn: boolean;
  /** Whether checks that could harm a kernel may run. */
  readonly allowHarm: boolean;
  /** Whether every kernel call is shown on stderr. */
  readonly trace: boolean;
  /** The path of a {@linkcode import("./step_board.ts").StepBoard}; `null` where there is none. */
  readonly steps: string | null;
}

/** A setup as a child's arguments. */
export function setupArguments(setup: ChildSetup): string[] {
  const { backend, model, allowWarn, allowHarm, trace, steps } = setup;
  return [
    `--backend=${backend}`,
    ...(model === undefined ? [] : [`--model=${model}`]),
    ...(allowWarn ? ["--allow-warn"] : []),
    ...(allowHarm ? ["--allow-harm"] : []),
    ...(trace ? ["--trace"] : []),
    ...(steps === null ? [] : [`--steps=${steps}`]),
  ];
}

/**
 * The setup that a child was started with.
 *
 * @example
 * ```ts
 * import { parseSetup, setupArguments } from "./child_process.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const model = { backend: "model", model: "v6.1+pml" } as const;
 * const setup = { ...model, allowWarn: true, allowHarm: false, trace: false };
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
    trace: args.includes("--trace"),
    steps: value("--steps") ?? null,
  };
}
