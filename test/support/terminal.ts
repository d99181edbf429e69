// A command line on a terminal of its own, made by `script` of util-linux, and what a person sees
// there.
import { denoArgs } from "./cli.ts";

/** What a command left behind on its terminal. */
export interface TerminalEnd {
  /** The exit status. */
  readonly code: number;
  /** The lines of the screen, without spaces at their ends. */
  readonly screen: readonly string[];
  /** All that was written to the terminal. */
  readonly written: string;
}

/** Why terminals cannot be made here; `null` if they can. */
export const NO_TERMINAL: string | null = await (async () => {
  try {
    const { stdout } = await new Deno.Command("script", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).includes("util-linux") ? null : "no script here";
  } catch {
    return "no script of util-linux here";
  }
})();

/** How a command line is started. */
export interface TerminalOptions {
  /** The width of the terminal; 80 unless given. */
  readonly columns?: number;
  /** Where its standard output goes, if not to the terminal. */
  readonly stdout?: string;
}

/** A running command line on a terminal. */
export class TerminalCli {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #end: Promise<TerminalEnd>;
  #written = "";
  #isOver = false;
  #heard = Promise.withResolvers<void>();

  /** Starts it. */
  constructor(args: readonly string[], { columns = 80, stdout }: TerminalOptions = {}) {
    const words = [Deno.execPath(), ...denoArgs(args)].map(quoted).join(" ");
    const to = stdout === undefined ? "" : ` > ${quoted(stdout)}`;
    const line = `stty cols ${columns} rows 24; exec ${words}${to}`;
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--flush", "--command", line, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#end = this.#read();
  }

  async #read(): Promise<TerminalEnd> {
    for await (const piece of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#written += piece;
      this.#tell();
    }
    const { code } = await this.#child.status;
    this.#isOver = true;
    this.#tell();
    await this.#keys.close().catch(() => {});
    return { code, screen: screenOf(this.#written), written: this.#written };
  }

  #tell(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  /**
   * Waits until something is written to the terminal.
   *
   * @throws {Error} If the command ends before.
   */
  async shows(text: string): Promise<void> {
    while (!this.#written.includes(text)) {
      if (this.#isOver) {
        throw new Error(`It ended, and never showed "${text}": ${this.#written.slice(-2000)}`);
      }
      await this.#heard.promise;
    }
  }

  /** Types something. */
  async types(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys)).catch(() => {});
  }

  /** Waits for the end. */
  async ends(): Promise<TerminalEnd> {
    return await this.#end;
  }
}

/** What erases the rest of a line. */
export const ERASE = "\x1b[K";

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * What is to be seen on a screen: of what a terminal does, as much as progress needs. A carriage
 * return goes to the beginning of the line, `ESC [ K` erases the rest of it, and what is written
 * overwrites what is there.
 */
export function screenOf(written: string): string[] {
  const lines = [""];
  let at = 0;
  for (const [part] of written.replaceAll(ERASE, "\0").matchAll(/[\r\n\0]|[^\r\n\0]+/g)) {
    const line = lines.at(-1)!;
    if (part === "\r") at = 0;
    else if (part === "\0") lines[lines.length - 1] = line.slice(0, at);
    else if (part === "\n") lines.push("");
    else {
      lines[lines.length - 1] = line.slice(0, at).padEnd(at) + part + line.slice(at + part.length);
      at += part.length;
    }
  }
  return lines.map((line) => line.trimEnd());
}
