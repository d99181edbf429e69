// Spawns the real command line and keeps stdout, stderr and the exit status apart.
const ROOT = new URL("../..", import.meta.url).pathname;

/** What a command line came to. */
export interface CliResult {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-run"];

/** The arguments with which the launcher starts Deno. */
export function denoArgs(args: readonly string[]): string[] {
  const flags = ["--quiet", "--no-prompt", ...PERMISSIONS];
  return ["run", ...flags, `${ROOT}main.ts`, ...args];
}

/** Runs `dirtyring` with arguments and, if given, standard input. */
export async function dirtyring(args: readonly string[], input?: string): Promise<CliResult> {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
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

/** A command line that runs, and what it will come to. */
export interface RunningCli {
  readonly kill: (signal: Deno.Signal) => void;
  readonly result: Promise<CliResult>;
}

/** Starts `dirtyring`; with `readLines` its output is closed after so many chunks of it. */
export function spawnDirtyring(
  args: readonly string[],
  { readLines }: { readLines?: number } = {},
): RunningCli {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const result = readLines === undefined ? child.output() : readSome(child, readLines);
  return { kill: (signal) => child.kill(signal), result: result.then(decode) };
}

async function readSome(child: Deno.ChildProcess, chunks: number): Promise<Deno.CommandOutput> {
  const reader = child.stdout.getReader();
  for (let n = 0; n < chunks; n++) await reader.read();
  await reader.cancel();
  const stderr = new Uint8Array(await new Response(child.stderr).arrayBuffer());
  return { ...await child.status, stdout: new Uint8Array(), stderr };
}

/** Runs a line of POSIX shell in which `dirtyring` is the launcher. */
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
