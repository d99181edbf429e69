// Spawns the real command line and captures stdout, stderr and the exit status separately.
const ROOT = new URL("../..", import.meta.url).pathname;

/** The outcome of a command line. */
export interface CliResult {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PERMISSIONS = [
  ...["--allow-ffi", "--allow-read", "--allow-write", "--allow-run"],
  "--allow-env=NO_COLOR,FORCE_COLOR,TERM",
];

/**
 * The arguments with which the launcher starts Deno for a command that needs all permissions.
 *
 * @param program The program; a test may use a variant of `main.ts`.
 */
export function denoArgs(args: readonly string[], program = "main.ts"): string[] {
  const flags = ["--quiet", "--no-prompt", "--unstable-lazy-dynamic-imports", ...PERMISSIONS];
  return ["run", ...flags, `${ROOT}${program}`, ...args];
}

/** Runs `dirtyring` with arguments and, if given, standard input. */
export async function dirtyring(
  args: readonly string[],
  input?: string,
  program?: string,
): Promise<CliResult> {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args, program),
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input)).catch(() => {});
    await writer.close().catch(() => {}); // the command may not read it at all
  }
  return decode(await child.output());
}

/** A command that prints nothing for so long hangs, and is killed. */
const SILENT_MS = 300_000;

/**
 * A running `dirtyring`: a test waits for something that it prints, and then ends it with a signal.
 */
export class RunningCli {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Record<"stdout" | "stderr", string[]> = { stdout: [], stderr: [] };
  readonly #result: Promise<CliResult>;
  #heard = Promise.withResolvers<void>();
  #isOver = false;

  /**
   * Starts it. With `--trace` it prints each kernel call on stderr.
   *
   * @param like A variant of `main.ts`.
   * @param by A command that runs it, with its arguments.
   */
  constructor(args: readonly string[], like?: string, by: readonly string[] = []) {
    const [program, ...rest] = [...by, Deno.execPath(), ...denoArgs(args, like)];
    this.#child = new Deno.Command(program!, {
      args: rest,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#result = this.#read();
  }

  async #read(): Promise<CliResult> {
    const child = this.#child;
    const hang = () => child.kill("SIGKILL");
    let timer = setTimeout(hang, SILENT_MS);
    const take = async (name: "stdout" | "stderr"): Promise<string> => {
      const lines = this.#lines[name];
      let rest = "";
      for await (const piece of child[name].pipeThrough(new TextDecoderStream())) {
        clearTimeout(timer);
        timer = setTimeout(hang, SILENT_MS);
        const [first, ...more] = piece.split("\n");
        rest += first;
        for (const line of more) {
          lines.push(rest);
          rest = line;
        }
        this.#tell();
      }
      return [...lines, rest].join("\n");
    };
    const [stdout, stderr] = await Promise.all([take("stdout"), take("stderr")]);
    const { code, signal } = await child.status;
    clearTimeout(timer);
    this.#isOver = true;
    this.#tell();
    return { code, signal, stdout, stderr };
  }

  #tell(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  /**
   * Waits until a text was printed in a number of lines.
   *
   * @throws {Error} If the command ends before.
   */
  async prints(name: "stdout" | "stderr", text: string, times = 1): Promise<void> {
    for (let seen = 0, at = 0;;) {
      const lines = this.#lines[name];
      for (; at < lines.length && seen < times; at++) if (lines[at]!.includes(text)) seen++;
      if (seen === times) return;
      if (this.#isOver) {
        const { code, stderr } = await this.#result;
        const end = stderr.slice(-1000);
        throw new Error(`It ended with ${code}, after ${seen} of ${times} "${text}": ${end}`);
      }
      await this.#heard.promise;
    }
  }

  /** Sends a signal. */
  sends(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Sends a signal, unless the command has ended, and waits for the outcome. */
  async ends(signal: Deno.Signal): Promise<CliResult> {
    if (!this.#isOver) this.#child.kill(signal);
    return await this.#result;
  }
}

/** Runs `dirtyring` and closes its standard output after a number of chunks. */
export async function closedEarly(args: readonly string[], chunks: number): Promise<CliResult> {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  for (let n = 0; n < chunks; n++) await reader.read();
  await reader.cancel();
  const stderr = new Uint8Array(await new Response(child.stderr).arrayBuffer());
  return decode({ ...await child.status, stdout: new Uint8Array(), stderr });
}

/** Runs async work for each element, two at a time. */
export async function eachOf<One>(
  all: Iterable<One>,
  work: (one: One) => Promise<void>,
): Promise<void> {
  const left = all[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value);
  };
  await Promise.all([worker(), worker()]);
}

/** Runs a POSIX shell command in which `dirtyring` is the launcher. */
export async function shell(line: string, cwd?: string): Promise<CliResult> {
  const path = `${Deno.env.get("PATH")}:${ROOT}bin`;
  return decode(
    await new Deno.Command("sh", {
      args: ["-c", line],
      env: { PATH: path },
      stdin: "null",
      ...(cwd === undefined ? {} : { cwd }),
    }).output(),
  );
}

function decode(output: Deno.CommandOutput): CliResult {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    signal: output.signal,
    stdout: text(output.stdout),
    stderr: text(output.stderr),
  };
}
