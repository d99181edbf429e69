// Runs command lines in this process: a new one for each would take a third of a second.
import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";

/** What was printed. */
export interface Printed {
  stdout: string;
  stderr: string;
}

/**
 * Runs a command line without a terminal.
 *
 * @returns Its exit status, and what it printed.
 */
export async function inProcess(args: readonly string[]): Promise<Printed & { code: number }> {
  const printed: Printed = { stdout: "", stderr: "" };
  const world = { terminal: () => null, announce: () => {} };
  const code = await capturing(printed, () => commandLine(args, REGISTRY, world));
  return { code, ...printed };
}

/** Captures the output. The program prints only in cli/printing.ts, with these three functions. */
export async function capturing(printed: Printed, work: () => Promise<number>): Promise<number> {
  const { stdout } = Deno;
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const taken = (bytes: Uint8Array) => {
    printed.stdout += decoders.stdout.decode(bytes, { stream: true });
    return bytes.length;
  };
  const [writeSync, write, error] = [stdout.writeSync, stdout.write, console.error];
  stdout.writeSync = taken;
  stdout.write = (bytes) => Promise.resolve(taken(bytes));
  console.error = (...words: unknown[]) => void (printed.stderr += `${words.join(" ")}\n`);
  try {
    return await work();
  } finally {
    [stdout.writeSync, stdout.write, console.error] = [writeSync, write, error];
  }
}
