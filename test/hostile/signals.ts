import { BrokenFile, checkFile } from "../../checkpoint/checkpoint_file.ts";
import { denoArgs } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { NAMES, type SignalCase } from "./signal_lines.ts";

/** The outcome of a signal. */
export interface SignalEnd {
  /** Milliseconds from the signal to the end of the process; `null` if that had ended before. */
  readonly ms: number | null;
  /** The exit status, or the signal that killed the process. */
  readonly end: string;
  /** What is wrong, except the time that it took. */
  readonly problems: readonly string[];
}

/** A process that has not ended after this time hangs, in milliseconds. */
const HANGS_MS = 30_000;
const POLL_MS = 10;
/** An environment variable by which processes are found that a case has left behind. */
const MARK = "DIRTYRING_SIGNAL_CASE";

const NUMBERS: Readonly<Record<SignalCase["signal"], number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGTERM: 15,
};

/** Makes the folder of checkpoints from which command lines restore. All cases share it. */
export async function makeRestored(folder: string, backend: string): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: denoArgs([
      ...[
        "checkpoint",
        "--epochs",
        "3",
        "--interval",
        "5ms",
        "--memory",
        "16MiB",
        "--pages",
        "3000",
      ],
      ...["--backend", backend, "--into", `${folder}/${NAMES.restored}`],
    ]),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(`No checkpoints: ${new TextDecoder().decode(stderr)}`);
}

/**
 * Starts a command line, sends the signal, and checks what is left.
 *
 * @param shared The folder in which {@linkcode makeRestored} made checkpoints.
 * @param slow A factor for all waits.
 */
export async function sendSignal(
  one: SignalCase,
  shared: string,
  slow = 1,
): Promise<SignalEnd> {
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.symlink(`${shared}/${NAMES.restored}`, `${folder}/${NAMES.restored}`);
  return await sendIn(one, folder, slow);
}

async function sendIn(
  { args, signal, afterMs }: SignalCase,
  folder: string,
  slow: number,
): Promise<SignalEnd> {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    cwd: folder,
    env: { [MARK]: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let endedAt: number | null = null;
  const status = child.status.then((found) => {
    endedAt = performance.now();
    return found;
  });
  const printed = Promise.all([child.stdout, child.stderr].map((one) => new Response(one).text()));
  const wait = Promise.withResolvers<void>();
  const moment = setTimeout(wait.resolve, afterMs * slow);
  await Promise.race([wait.promise, status]);
  clearTimeout(moment);
  const problems: string[] = [];
  const sentAt = performance.now();
  const hadEnded = endedAt !== null;
  if (!hadEnded) sendTo(child, signal);
  const hang = setTimeout(() => {
    problems.push(`did not end within ${HANGS_MS * slow} ms`);
    sendTo(child, "SIGKILL");
  }, HANGS_MS * slow);
  const ended = await status;
  clearTimeout(hang);
  const ms = hadEnded ? null : performance.now() - sentAt;
  problems.push(...await leftProcesses(folder, HANGS_MS * slow));
  const [stdout, stderr] = await printed;
  const isInOrder = ended.signal === null;
  const expected = 128 + NUMBERS[signal];
  // 0 is right if the command had ended, or had finished its work when it noticed the signal.
  if (ended.code !== expected && ended.code !== 0) {
    problems.push(`status ${ended.code}, and not ${expected} or 0: ${stderr!.slice(0, 500)}`);
  }
  if (/^ {4}at /m.test(stderr!)) problems.push(`a stack: ${stderr!.slice(0, 500)}`);
  if (isInOrder && args.includes("json") && !args.includes("--output") && stdout !== "") {
    problems.push(...tornJson("standard output", stdout!));
  }
  problems.push(...await torn(folder));
  return { ms, end: `${ended.signal ?? ended.code}`, problems };
}

function sendTo(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    // It has ended meanwhile.
  }
}

// Processes of the case that are left after its end. Those that it killed may take a moment to
// disappear.
async function leftProcesses(folder: string, ms: number): Promise<string[]> {
  const until = performance.now() + ms;
  for (;;) {
    const left = processesOf(folder);
    if (left.length === 0) return [];
    if (performance.now() > until) return [`processes are left: ${left.join(", ")}`];
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function processesOf(folder: string): string[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // A zombie has an empty environment, and so is not found.
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      return environment.split("\0").includes(`${MARK}=${folder}`) ? [name] : [];
    } catch {
      return [];
    }
  });
}

// Files that must not be in a folder: parts of files, and incomplete results.
async function torn(folder: string): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, isDirectory } of [...Deno.readDirSync(folder)]) {
    if (name === NAMES.restored) continue;
    if (name.endsWith(".part")) problems.push(`${name} is left`);
    else if (name === NAMES.result) {
      problems.push(...tornJson(name, Deno.readTextFileSync(`${folder}/${name}`)));
    } else if (isDirectory) problems.push(...await tornCheckpoints(`${folder}/${name}`));
  }
  return problems;
}

async function tornCheckpoints(folder: string): Promise<string[]> {
  const problems: string[] = [];
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (name.endsWith(".part")) problems.push(`${name} is left`);
    else {
      await checkFile(`${folder}/${name}`).catch((error) => {
        if (!(error instanceof BrokenFile)) throw error;
        problems.push(`${name}: ${error.message}`);
      });
    }
  }
  return problems;
}

function tornJson(name: string, text: string): string[] {
  try {
    JSON.parse(text);
    return [];
  } catch {
    return [`${name} is torn: ${text.length} characters, ${JSON.stringify(text.slice(-60))}`];
  }
}
