import { nanosecondsSince } from "../ffi/nanoseconds.ts";
import { Pair } from "./pair.ts";
import { Skip } from "./skip.ts";

const WARM_UPS = 3;
const TURNS = 41;
const TARGET = { most: 2.5, text: "target within 2.5" };

const LAUNCHER = `${import.meta.dirname}/../bin/dirtyring`;

/** A command line, and where it runs. */
interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Measures whole processes: the launcher, from its start to its end, against an empty Deno program.
 * Both use the Deno that runs this one.
 *
 * @param folder An existing folder for the empty program and the launcher's note.
 * @throws {Skip} Where the launcher cannot dump here.
 */
export async function benchStartup(folder: string): Promise<void> {
  const program = `${folder}/empty.ts`;
  await Deno.writeTextFile(program, "");
  const env = await environment(folder);
  const empty = {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", program],
    env,
  };
  const lines = [
    { args: ["dump", "--pages", "100"], target: TARGET },
    { args: ["--version"], target: null },
  ];
  for (const { args, target } of lines) {
    const ours = { command: LAUNCHER, args, env };
    const pair = new Pair(`dirtyring ${args.join(" ")}`, target);
    for (let turn = -WARM_UPS; turn < TURNS; turn++) {
      const ns = await time(ours);
      const emptyNs = await time(empty);
      if (turn >= 0) pair.add(ns, emptyNs);
    }
    console.log(pair.line());
  }
}

// The launcher takes the first deno of PATH, and notes that under XDG_CACHE_HOME: it shall find
// this very Deno, and leave the user's note alone. Deno's own cache lies there too, and must then
// be named.
async function environment(folder: string): Promise<Readonly<Record<string, string>>> {
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] });
  const { stdout } = await info.output();
  const facts: Readonly<Record<string, unknown>> = JSON.parse(new TextDecoder().decode(stdout));
  const denoDir = facts["denoDir"];
  if (typeof denoDir !== "string") throw new Error("deno info --json names no denoDir");
  const binaries = Deno.execPath().replace(/\/[^/]*$/, "");
  return {
    DENO_DIR: denoDir,
    XDG_CACHE_HOME: folder,
    PATH: `${binaries}:${Deno.env.get("PATH") ?? ""}`,
  };
}

async function time({ command, args, env }: Program): Promise<number> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  const started = performance.now();
  const { code } = await child.spawn().status;
  const ns = nanosecondsSince(started);
  const line = [command.replace(/.*\//, ""), ...args].join(" ");
  if (code === 4) throw new Skip(`${line} says that this host cannot do it`);
  if (code !== 0) throw new Error(`${line} ended with ${code}`);
  return ns;
}
