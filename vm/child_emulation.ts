import type { Emulation } from "./emulator.ts";

/**
 * A machine that is one process: what it says on standard error is the console, the other two streams are the line.
 *
 * @param child The process.
 * @param release Called once it has ended by {@linkcode Emulation.kill}.
 * @returns The machine.
 */
export function childEmulation(
  child: Deno.ChildProcess,
  release: () => void = () => {},
): Emulation {
  const writer = child.stdin.getWriter();
  // What it has not read when it ends is of no use to anybody.
  writer.closed.catch(() => {});
  return {
    console: child.stderr,
    line: child.stdout,
    write: (bytes) => writer.write(bytes).catch(() => {}),
    ended: child.status,
    async kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has gone.
      }
      await child.status;
      await writer.abort().catch(() => {});
      release();
    },
  };
}
