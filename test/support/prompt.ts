// A shell at a terminal of its own, at whose prompt a test types and presses TAB.
import { findProgram } from "../../vm/bound_process.ts";

/** Programs of Debian packages that tests use, each with its package. */
export const PACKAGES = {
  bash: "bash",
  zsh: "zsh",
  fish: "fish",
  man: "man-db",
  groff: "groff-base",
  script: "bsdutils",
} as const;

/** A program that tests use. */
export type Program = keyof typeof PACKAGES;

/** Why a test that needs some programs cannot run here; `null` if it can. */
export async function missing(...programs: readonly Program[]): Promise<string | null> {
  for (const program of programs) {
    if (await findProgram([program]) === null) {
      return `no ${program} here (Debian's ${PACKAGES[program]})`;
    }
  }
  return null;
}

const READY = "ready> ";

/** What a shell reads first: how to show what stands at its prompt, when Ctrl-G is pressed. */
const BEGINNINGS = {
  bash: [
    "bind 'set bell-style none'",
    "bind 'set page-completions off'",
    `_told() { printf '\\n<%s>\\n' "$READLINE_LINE"; READLINE_LINE=; }`,
    `bind -x '"\\C-g": _told'`,
    `PS1='${READY}'`,
  ],
  zsh: [
    "autoload -Uz compinit && compinit -u -D",
    "unsetopt beep automenu promptsp",
    `_told() { print; print -r -- "<$BUFFER>"; BUFFER=; zle -I }`,
    "zle -N _told",
    "bindkey '^G' _told",
    `PS1='${READY}'`,
  ],
} as const;

/** A shell that waits for input. */
export class Prompt implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #chunks: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#chunks = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Starts a shell in a folder, in which its files are written.
   *
   * @param script What it sources.
   */
  static async start(shell: "bash" | "zsh", folder: string, script: string): Promise<Prompt> {
    const home = `${folder}/.home`;
    await Deno.mkdir(home);
    await Deno.writeTextFile(`${home}/script`, script);
    const [begin, source] = [BEGINNINGS[shell], `source '${home}/script'`];
    // zsh needs compinit before it is told of completions.
    const lines = shell === "zsh" ? [begin[0], source, ...begin.slice(1)] : [source, ...begin];
    const rc = shell === "zsh" ? ".zshrc" : ".bashrc";
    await Deno.writeTextFile(`${home}/${rc}`, `${lines.join("\n")}\n`);
    const command = shell === "zsh" ? "zsh -i" : `bash --noprofile --rcfile '${home}/${rc}' -i`;
    const child = new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      cwd: folder,
      clearEnv: true,
      // There is no dirtyring on PATH: a script that asked it would fail.
      env: { PATH: "/usr/bin:/bin", HOME: home, ZDOTDIR: home, TERM: "dumb", LC_ALL: "C.UTF-8" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const prompt = new Prompt(child);
    await prompt.#until(/ready> /);
    return prompt;
  }

  /** Types a text and presses TAB, and answers what then stands at the prompt. */
  async completes(text: string): Promise<string> {
    this.#text = "";
    await this.#writer.write(new TextEncoder().encode(`${text}\t\x07`));
    return (await this.#until(/<([^\r\n]*)>\r?\n/))[1]!;
  }

  async #until(expected: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = expected.exec(this.#text);
      if (found !== null) return found;
      const { done, value } = await this.#chunks.read();
      if (done) throw new Error(`The shell ended: ${JSON.stringify(this.#text.slice(-500))}`);
      this.#text += value;
    }
  }

  /** Ends the shell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.write(new TextEncoder().encode("exit\r"));
    await this.#writer.close().catch(() => {});
    while (!(await this.#chunks.read()).done);
    await this.#child.status;
  }
}
