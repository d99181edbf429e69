import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { HostError, KernelError } from "../../ffi/errors.ts";
import { GuestError, LimitError, UsageError } from "../../host/errors.ts";
import { capturing, type Printed } from "../support/in_process.ts";
import { chanceOf } from "./chance.ts";
import type { CaseName } from "./formats.ts";
import type { Format, HostileCase } from "./hostile_case.ts";
import type { Outcome } from "./judge.ts";
import { type Listing, Site } from "./site.ts";

/** The folders of a case. */
export interface Place {
  /** The folder in which it runs; it is made for it. */
  readonly folder: string;
  /** The folder of its format's shared material. */
  readonly shared: string;
  /** Whether the folder is kept. */
  readonly keep: boolean;
}

/**
 * Makes a case and runs it in this process: a new process for each would take a third of a second.
 *
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
    // The same statuses as in cli/command_line.ts.
    const { message, stack } = error instanceof Error ? error : new Error(`${error}`);
    const status = error instanceof UsageError
      ? 2
      : [KernelError, LimitError, GuestError].some((refused) => error instanceof refused)
      ? 3
      : error instanceof HostError
      ? 4
      : 70;
    console.error(`dirtyring: ${status === 70 ? stack : message}`);
    return status;
  }
}

// Paths that were added, removed or changed, except those that the case may write.
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

// Resets the peak memory of this process: "5" in /proc/PID/clear_refs.
function forgetPeak(): void {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not possible here: then the peak is that of all cases so far.
  }
}

/**
 * The peak (`VmHWM`) or current (`VmRSS`) memory of this process in bytes; `null` if it is unknown.
 */
export function peakOf(field: "VmHWM" | "VmRSS" = "VmHWM"): number | null {
  try {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m")
      .exec(Deno.readTextFileSync("/proc/self/status"));
    return found === null ? null : Number(found[1]) * 1024;
  } catch {
    return null;
  }
}
