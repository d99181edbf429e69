// Runs command lines in this process as if it stood at a terminal, and keeps what they print.
import { commandLine, type World } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import type { ScreenSize } from "./terminal_screen.ts";

/** How a command line is run. */
export interface AtTerminal extends ScreenSize {
  /** Whether it has colours. */
  readonly colours: boolean;
  /** Other surroundings, such as a kernel. */
  readonly world?: Partial<World>;
}

/** What was printed, and the exit status. */
export interface Shown {
  /** Both outputs, as they came. */
  readonly text: string;
  readonly status: number;
}

/** Runs a command line of the model. A process for each would take a third of a second. */
export async function atTerminal(
  args: readonly string[],
  { columns, rows, colours, world = {} }: AtTerminal,
): Promise<Shown> {
  const terminal = () => ({ columns, rows, isDumb: false });
  const all = [...args, `--color=${colours ? "always" : "never"}`];
  // Progress is shown by the clock: a screen has none.
  const view = { everyMs: 60_000, show() {}, clear() {} };
  const surroundings = { terminal, errorTerminal: terminal, view, announce() {}, ...world };
  const shown = await capturing(() => commandLine(all, REGISTRY, surroundings));
  // What tells how to see something again tells of that option, too.
  return { ...shown, text: shown.text.replaceAll(/ --color=(always|never)/g, "") };
}

// The program prints with these functions alone, in cli/printing.ts.
async function capturing(work: () => Promise<number>): Promise<Shown> {
  let text = "";
  const { stdout, stderr } = Deno;
  const decoder = new TextDecoder();
  const taken = (bytes: Uint8Array) => {
    text += decoder.decode(bytes, { stream: true });
    return bytes.length;
  };
  const was = [stdout.writeSync, stdout.write, stderr.writeSync, console.error] as const;
  stdout.writeSync = stderr.writeSync = taken;
  stdout.write = (bytes) => Promise.resolve(taken(bytes));
  console.error = (...words: unknown[]) => void (text += `${words.join(" ")}\n`);
  try {
    const status = await work();
    return { text, status };
  } finally {
    [stdout.writeSync, stdout.write, stderr.writeSync, console.error] = was;
  }
}
