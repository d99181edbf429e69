// Runs the launcher in a temporary home, with fake Deno programs that print their name and how they
// were started.
import type { CliResult } from "./cli.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** The launcher. */
export const LAUNCHER: string = `${ROOT}bin/dirtyring`;

/** The part of PATH after the folder of fake programs. */
const PATH = "/usr/bin:/bin";
/** A launcher that hangs is killed after so many seconds; its status is 137 then. */
const HANGS = "120";

/** How a launcher is started. */
export interface LauncherStart {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly launcher?: string;
  readonly shell?: readonly string[];
}

/** A temporary folder, accessible only to this user, in which the launcher runs. */
export class LauncherHome implements AsyncDisposable {
  /** The folder: `bin` is first on PATH, `home` is HOME, the test uses the rest. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes one; its `bin/deno` is a fake program with the name `path`. */
  static async make(): Promise<LauncherHome> {
    const made = new LauncherHome(await Deno.makeTempDir({ prefix: "launcher-" }));
    for (const name of ["bin", "home"]) await made.mkdir(name);
    await made.standIn("bin/deno", "path");
    return made;
  }

  /** The absolute path of a name in the folder. */
  at(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** Makes a folder, and those above it, that only this user may write. */
  async mkdir(name: string): Promise<void> {
    await Deno.mkdir(this.at(name), { recursive: true, mode: 0o755 });
  }

  /** Writes a fake Deno, which prints its name, its arguments and its cache folders. */
  async standIn(file: string, name: string, version = "2.9.6"): Promise<void> {
    const path = this.at(file);
    await this.mkdir(file.slice(0, file.lastIndexOf("/")));
    const script = `#!/bin/sh
case $1 in
  --version) echo "deno ${version} (stable, release, x86_64-unknown-linux-gnu)" ;;
  eval) echo '${path}' ;;
  cache) ;;
  *) echo ${name} "XDG_CACHE_HOME=\${XDG_CACHE_HOME-}" "DENO_DIR=\${DENO_DIR-}"; printf '%s\\n' "$@" ;;
esac
`;
    await Deno.remove(path).catch(() => {});
    await Deno.writeTextFile(path, script, { mode: 0o755 });
  }

  /** Writes a cache entry that says: in place of the deno on PATH, use a program of this folder. */
  async note(cache: string, program: string): Promise<string> {
    await this.mkdir(`${cache}/dirtyring`);
    const path = this.at(`${cache}/dirtyring/deno-2.9.6-of-path`);
    await Deno.writeTextFile(path, `${this.at("bin/deno")}\n${this.at(program)}\n`, {
      mode: 0o644,
    });
    return path;
  }

  /** Starts the launcher. */
  async start(args: readonly string[], how: LauncherStart = {}): Promise<CliResult> {
    const { code, signal, stdout, stderr } = await new Deno.Command("timeout", {
      args: ["-s", "KILL", HANGS, ...(how.shell ?? ["sh"]), how.launcher ?? LAUNCHER, ...args],
      cwd: how.cwd ?? this.folder,
      clearEnv: true,
      env: { PATH: `${this.at("bin")}:${PATH}`, HOME: this.at("home"), ...how.env },
      stdin: "null",
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, signal, stdout: out!, stderr: err! };
  }

  /** The name of the fake Deno that runs a command; the launcher's stderr if none does. */
  async runs(how: LauncherStart = {}): Promise<string> {
    const { stdout, stderr } = await this.start(["dump"], how);
    return stdout.split(" ", 1)[0] || stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
