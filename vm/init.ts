// The first process of a machine: loads KVM, runs the command, and sends what it prints and writes
// to the host.
import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR } from "../ffi/linux.ts";
import { type MachineCalls, openMachineCalls } from "../ffi/machine.ts";
import { kernelFacts } from "../host/facts.ts";
import { frameBytes, type FrameKind, framesOf, jsonFrame } from "./frames.ts";
import {
  DENO,
  environment,
  type GuestFile,
  type GuestProblem,
  type GuestRequest,
  type GuestStart,
  MODULES,
  PROGRAM,
  REQUEST,
  STAGED,
  STDIN,
} from "./guest_request.ts";

/** The serial port that carries frames. The first port is the kernel's console. */
const LINE = "/dev/ttyS1";
/**
 * The environment variable, set on the kernel's command line, that names another port for frames
 * from the host.
 */
const FROM_HOST = "FROM_HOST";
/** How often the guest says that it is alive, in milliseconds. */
const ALIVE_MS = 1000;
/** How often complete files are looked for, in milliseconds. */
const LOOK_MS = 500;
/** The most bytes in a frame. Later frames wait while it is sent. */
const PIECE_BYTES = 1 << 14;

const MOUNTS: readonly (readonly [kind: string, target: string])[] = [
  ["proc", "/proc"],
  ["sysfs", "/sys"],
  ["devtmpfs", "/dev"],
  ["tmpfs", "/tmp"],
  ["tracefs", "/sys/kernel/tracing"],
];

/**
 * Runs a machine as its first process: mounts file systems, loads KVM, runs the requested command,
 * sends its output over a serial line, and ends the machine. A kernel may lack any of these file
 * systems except /proc and /dev.
 */
export async function runMachine(): Promise<void> {
  const calls = openMachineCalls();
  for (const [kind, target] of MOUNTS) calls.mount(kind, target);
  const kernel = openLibc();
  const from = environment(FROM_HOST) ?? LINE;
  const openRaw = (path: string) => {
    const fd = kernel.open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    const raw = fd < 0 ? fd : calls.makeRaw(fd);
    if (raw < 0) throw new Error(`${path}: errno ${-raw}; the kernel needs this serial port`);
    return fd;
  };
  const fd = openRaw(LINE);
  if (from !== LINE) openRaw(from);
  const line = await Line.open(from);
  try {
    await serve(calls, line);
  } catch (error) {
    await line.send(
      "problem",
      {
        refused: [],
        words: [],
        error: error instanceof Error ? error.message : String(error),
      } satisfies GuestProblem,
    );
  }
  await line.drained();
  calls.drain(fd);
  calls.reboot();
}

async function serve(calls: MachineCalls, line: Line): Promise<void> {
  const request: GuestRequest = JSON.parse(await Deno.readTextFile(REQUEST));
  const problem = await loadKvm(calls, request);
  if (problem !== null) return await line.send("problem", problem);
  await line.send("hello", kernelFacts(openLibc(), null));
  await placeFiles(request);
  const alive = setInterval(() => line.sayAlive(), ALIVE_MS);
  const sender = new OutputSender(request.outputs, (kind, body) => line.sendBytes(kind, body));
  const sending = new Sending(sender);
  const code = await runCommand(request, line);
  clearInterval(alive);
  await sending.end();
  await sender.sendRest();
  await line.send("end", { code });
}

async function loadKvm(
  calls: MachineCalls,
  { modules }: GuestRequest,
): Promise<GuestProblem | null> {
  if (await exists("/dev/kvm")) return null;
  const cmdline = await Deno.readTextFile("/proc/cmdline");
  const refused: { name: string; errno: number }[] = [];
  for (const name of modules) {
    const image = await Deno.readFile(`${MODULES}/${name}.ko`);
    const done = calls.initModule(image, moduleParameters(cmdline, name));
    if (done < 0) refused.push({ name, errno: -done });
  }
  if (await exists("/dev/kvm")) return null;
  return { refused, words: kernelWords(), error: null };
}

/**
 * The parameters for a module on the kernel's command line: `kvm_amd.npt=0` gives `npt=0` for
 * `kvm_amd`.
 *
 * @example
 * ```ts
 * import { moduleParameters } from "./init.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const line = "quiet kvm-amd.npt=0 kvm.tdp_mmu=N kvm_amd.avic=0\n";
 * assertEquals(moduleParameters(line, "kvm_amd"), "npt=0 avic=0");
 * ```
 *
 * @param cmdline The content of /proc/cmdline.
 * @param name The module's name, with underscores.
 */
export function moduleParameters(cmdline: string, name: string): string {
  return cmdline.trim().split(/\s+/).flatMap((word) => {
    const at = word.indexOf(".");
    return at > 0 && word.slice(0, at).replaceAll("-", "_") === name ? [word.slice(at + 1)] : [];
  }).join(" ");
}

// Returns the lines of the kernel's log that mention KVM, without the one that shows the command
// line.
function kernelWords(): string[] {
  const kernel = openLibc();
  const fd = kernel.open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const words: string[] = [];
  const buffer = new Uint8Array(8192);
  for (let got; fd >= 0 && (got = kernel.read(fd, buffer)) > 0;) {
    const record = new TextDecoder().decode(buffer.subarray(0, got));
    const text = record.slice(record.indexOf(";") + 1).split("\n", 1)[0]!;
    if (/\b(kvm|svm|vmx)/i.test(text) && !/command line/i.test(text)) words.push(text);
  }
  return words;
}

// Links the inputs to their absolute paths, and creates the folders that the command writes to.
async function placeFiles({ cwd, inputs, outputs }: GuestRequest): Promise<void> {
  await Deno.mkdir(cwd, { recursive: true });
  for (const path of [...inputs, ...outputs]) {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true });
  }
  for (const path of inputs) await Deno.symlink(`${STAGED}${path}`, path);
  for (const name of ["/root", "/tmp"]) await Deno.mkdir(name, { recursive: true });
}

async function runCommand(request: GuestRequest, line: Line): Promise<number> {
  const { args, cwd, terminal, isColoured, progress, host, hasStdin } = request;
  const start: GuestStart = { terminal, isColoured, progress, host };
  const child = new Deno.Command(DENO, {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--cached-only"],
      ...["--no-check", "--import-map", `${PROGRAM}/import_map.json`, "--allow-all"],
      "--unstable-lazy-dynamic-imports",
      ...[`${PROGRAM}/vm_command.ts`, JSON.stringify(start), ...args],
    ],
    cwd,
    stdin: hasStdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const streams = { stdout: child.stdout.getReader(), stderr: child.stderr.getReader() };
  line.onSignal = (signal) => {
    try {
      child.kill(signal);
    } catch {
      // The command has ended already.
    }
  };
  line.onClose = (name) => void streams[name].cancel().catch(() => {});
  // A command may end before it has read all of its input: that is not an error.
  if (hasStdin) (await Deno.open(STDIN)).readable.pipeTo(child.stdin).catch(() => {});
  await Promise.all([line.relay("stdout", streams.stdout), line.relay("stderr", streams.stderr)]);
  return (await child.status).code;
}

/** Looks for complete files and sends them while the command runs. */
class Sending {
  readonly #sender: OutputSender;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #look: Promise<void> = Promise.resolve();

  constructor(sender: OutputSender) {
    this.#sender = sender;
    this.#wait();
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      // A file may disappear before it is sent. All files are looked at again at the end.
      this.#look = this.#sender.sendFinished().catch(() => {});
      this.#look.then(() => this.#wait());
    }, LOOK_MS);
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#look;
    clearTimeout(this.#timer);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The serial line, seen from the guest. */
class Line {
  readonly #out: Deno.FsFile;
  /** Resolves when everything has been sent. */
  #last: Promise<void> = Promise.resolve();
  /** The number of frames that have not been sent yet. */
  #waiting = 0;
  /** Called for a signal that the host passes on. */
  onSignal: (signal: Deno.Signal) => void = () => {};
  /** Called when nobody on the host reads a stream any more. */
  onClose: (name: "stdout" | "stderr") => void = () => {};

  private constructor(out: Deno.FsFile, from: Deno.FsFile) {
    this.#out = out;
    this.#listen(from).catch(() => {});
  }

  /**
   * Opens the line, once for each direction, so that a read that waits for a byte does not block
   * writes.
   *
   * @param from The path of the port on which the host speaks.
   */
  static async open(from: string): Promise<Line> {
    return new Line(await Deno.open(LINE, { write: true }), await Deno.open(from));
  }

  async #listen(from: Deno.FsFile): Promise<void> {
    for await (const { kind, body } of framesOf(from.readable)) {
      const said = JSON.parse(new TextDecoder().decode(body));
      if (kind === "signal") this.onSignal(said);
      if (kind === "close") this.onClose(said);
    }
  }

  /** Sends a frame with a JSON body. */
  send(kind: FrameKind, value: unknown): Promise<void> {
    return this.#write(jsonFrame(kind, value));
  }

  /** Sends a frame of bytes. */
  sendBytes(kind: FrameKind, body: Uint8Array): Promise<void> {
    return this.#write(frameBytes(kind, body));
  }

  /** Sends a sign of life, unless another frame is waiting to be sent. */
  sayAlive(): void {
    if (this.#waiting === 0) this.sendBytes("alive", new Uint8Array(0));
  }

  /** Sends the content of a stream until it ends, no faster than the line takes it. */
  async relay(kind: FrameKind, stream: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      const { done, value } = await stream.read();
      if (done) return;
      for (let at = 0; at < value.length; at += PIECE_BYTES) {
        await this.sendBytes(kind, value.subarray(at, at + PIECE_BYTES));
      }
    }
  }

  /** Waits until everything has been sent. */
  drained(): Promise<void> {
    return this.#last;
  }

  #write(bytes: Uint8Array): Promise<void> {
    const before = this.#last;
    this.#waiting++;
    this.#last = (async () => {
      await before;
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#out.write(rest));
      this.#waiting--;
    })();
    return this.#last;
  }
}

/** Sends bytes as a frame. */
type Send = (kind: FrameKind, body: Uint8Array) => Promise<void>;
/** The suffix of a file that is not complete yet (checkpoint/checkpoint_file.ts). */
const PART = ".part";

/**
 * Sends the files that a command writes, each as a `file` frame and its bytes. They are compressed
 * because a serial line is slow.
 */
export class OutputSender {
  readonly #outputs: readonly string[];
  readonly #send: Send;
  readonly #sent = new Set<string>();

  /**
   * Starts with no file sent.
   *
   * @param outputs Absolute paths of files or folders.
   */
  constructor(outputs: readonly string[], send: Send) {
    this.#outputs = outputs;
    this.#send = send;
  }

  /**
   * Sends the files that are complete by now, in outputs that are folders. The host then has them
   * even if the machine crashes.
   */
  async sendFinished(): Promise<void> {
    for (const output of this.#outputs) {
      const info = await Deno.stat(output).catch(() => null);
      if (!info?.isDirectory) continue;
      const names = (await Array.fromAsync(Deno.readDir(output)))
        .flatMap(({ name, isFile }) => isFile && !name.endsWith(PART) ? [name] : []);
      for (const name of names.sort()) await this.#sendOnce(output, name);
    }
  }

  /**
   * Sends all files that were not sent yet. Called once the command has ended. An output that does
   * not exist is skipped.
   */
  async sendRest(): Promise<void> {
    await this.sendFinished();
    for (const output of this.#outputs) {
      const info = await Deno.stat(output).catch(() => null);
      if (info?.isFile) await this.#sendOnce(output, "");
    }
  }

  async #sendOnce(output: string, below: string): Promise<void> {
    const path = below === "" ? output : `${output}/${below}`;
    if (this.#sent.has(path)) return;
    const content = (await Deno.open(path)).readable;
    this.#sent.add(path);
    const file: GuestFile = { output, below };
    await this.#send("file", new TextEncoder().encode(JSON.stringify(file)));
    for await (const piece of content.pipeThrough(new CompressionStream("deflate-raw"))) {
      for (let at = 0; at < piece.length; at += PIECE_BYTES) {
        await this.#send("bytes", piece.subarray(at, at + PIECE_BYTES));
      }
    }
    await this.#send("bytes", new Uint8Array(0));
  }
}
