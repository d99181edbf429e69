// Finding and starting the programs that run machines.
import { HostError } from "../ffi/errors.ts";
import { fileErrorText } from "../host/errors.ts";
import { exhaustion } from "../host/exhaustion.ts";
import { printable } from "../text/printable.ts";
import { environment } from "./guest_request.ts";

/**
 * Finds a program.
 *
 * @param names The names to try, in order; one with a slash is a path.
 * @returns The path of the first executable found; `null` where there is none.
 */
export async function findProgram(names: readonly string[]): Promise<string | null> {
  const folders = (environment("PATH") ?? "/usr/bin:/bin").split(":").filter((one) => one !== "");
  const paths = names.flatMap((name) =>
    name.includes("/") ? [name] : folders.map((folder) => `${folder}/${name}`)
  );
  for (const path of paths) {
    const info = await Deno.stat(path).catch(() => null);
    if (info?.isFile && ((info.mode ?? 0) & 0o111) !== 0) return path;
  }
  return null;
}

/**
 * Runs a program and returns its standard output.
 *
 * @param advice The advice for the user where it cannot be run.
 * @returns The text, whatever the exit status.
 * @throws {HostError} Where it cannot be run.
 */
export async function saidBy(
  path: string,
  args: readonly string[],
  advice: string,
): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(path, { args: [...args], stderr: "null" }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw exhaustion(error) ??
      new HostError(`${printable(path)}: ${fileErrorText(error)}`, advice);
  }
}

/**
 * Starts a program, away from the terminal. The kernel ends it together with this process, even
 * where this process is killed.
 *
 * @param command The path of the program, and its arguments.
 * @returns The process, with pipes for its three standard streams.
 * @throws {HostError} Where Deno has no permission to start a process.
 */
export function startBound(command: readonly string[]): Deno.ChildProcess {
  const starter = new URL("../vm_start.ts", import.meta.url);
  try {
    return new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--allow-ffi"],
        ...[starter.href, `${Deno.pid}`, ...command],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HostError(
      "Deno has no permission to start a machine",
      "run bin/dirtyring, or add --allow-run to deno run",
    );
  }
}
