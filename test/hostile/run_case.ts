import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { HostError, KernelError } from "../../ffi/errors.ts";
import { GuestError, UsageError } from "../../host/errors.ts";
import { chanceOf } from "./chance.ts";
import type { CaseName } from "./formats.ts";
import type { Format, HostileCase } from "./hostile_case.ts";
import type { Outcome } from "./judge.ts";
import { type Listing, Site } from "./site.ts";

/** What was printed meanwhile. */
interface Printed {
  stdout: string;
  stderr: string;
}

/** Where a case runs. */
export interface Place {
  /** The folder that is made for it. */
  readonly folder: string;
  /** What its format made once. */
  readonly shared: string;
  /** Whether the folder is kept. */
  readonly keep: boolean;
}

/**
 * Makes a case and runs it in this process: a process for each would take a third of a second.
 *
 * @param name Its number.
 * @param seed The seed of all cases.
 */
export async function runCase(
  format: Format,
  { number }: CaseName,
  seed: number,
  { folder, shared, keep }: Place,
): Promise<Outcome> {
  Deno.mkdirSync(folder);
  const home = Deno.cwd();
  try {
    const site = new Site(folder, shared);
    const made = await format.make(chanceOf(format.name, seed, number), site, number);
    const before = site.list();
    Deno.chdir(folder);
    const printed: Printed = { stdout: "", stderr: "" };
    forgetPeak();
    const began = performance.now();
    const status = await capturing(printed, () => statusOf(made));
    const ms = performance.now() - began;
    const peakBytes = peakOf();
    const left = changes(before, site.list(), made.writes ?? []);
    const expected = made.status ?? null;
    return { args: made.args, status, expected, ...printed, ms, peakBytes, left };
  } finally {
    Deno.chdir(home);
    if (!keep) Deno.removeSync(folder, { recursive: true });
  }
}

async function statusOf({ args, call }: HostileCase): Promise<number> {
  const world = { terminal: () => null, announce: () => {} };
  if (call === undefined) return await commandLine(args, REGISTRY, world);
  try {
    return await call();
  } catch (error) {
    // As cli/command_line.ts has it.
    const { message, stack } = error instanceof Error ? error : new Error(`${error}`);
    const status = error instanceof UsageError
      ? 2
      : error instanceof KernelError || error instanceof GuestError
      ? 3
      : error instanceof HostError
      ? 4
      : 70;
    console.error(`dirtyring: ${status === 70 ? stack : message}`);
    return status;
  }
}

// Takes what is printed: the program prints in cli/printing.ts alone, with these three.
async function capturing(printed: Printed, work: () => Promise<number>): Promise<number> {
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

// What is there that was not and may not be, what is gone, and what is no longer the same.
function changes(before: Listing, after: Listing, writes: readonly string[]): string[] {
  const mayBe = (path: string) =>
    writes.some((one) => {
      const name = one.replace(/^(\.\/)+/, "");
      return name === "." || path === name || path.startsWith(`${name}/`);
    });
  const part = [...after.keys()].filter((path) => /\.part$/.test(path) && !before.has(path));
  const more = [...after.keys()].filter((path) => !before.has(path) && !mayBe(path));
  const gone = [...before].filter(([path, was]) => !mayBe(path) && after.get(path) !== was);
  return [...new Set([...part, ...more, ...gone.map(([path]) => path)])];
}

// /proc/PID/clear_refs: "5" forgets the most memory that the process had.
function forgetPeak(): void {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Another system: the peak is then of all cases, and no one's.
  }
}

/** The most memory that this process had, in bytes, or has; `null` on a system that does not tell. */
export function peakOf(field: "VmHWM" | "VmRSS" = "VmHWM"): number | null {
  try {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m")
      .exec(Deno.readTextFileSync("/proc/self/status"));
    return found === null ? null : Number(found[1]) * 1024;
  } catch {
    return null;
  }
}
