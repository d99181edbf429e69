// npm's package of this checkout, installed as a user would: `deno task pack`, `npm install`.
import type { CliResult } from "./cli.ts";
import { Folder } from "./folder.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const PACKAGE = "lib/node_modules/@dirtyring/dirtyring";
/** For a start that hangs; its status is 137 then. */
const HANGS = ["timeout", "-s", "KILL", "300"];

async function run(
  [program, ...args]: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<CliResult> {
  const output = await new Deno.Command(program!, { args, stdin: "null", ...options }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((one) =>
    new TextDecoder().decode(one)
  );
  return { code: output.code, signal: output.signal, stdout: stdout!, stderr: stderr! };
}

async function npm(...args: string[]): Promise<void> {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const line = ["npm", ...args, ...quiet, "--prefer-offline", "--fetch-retries=1"];
  const { code, stderr } = await run(line, { cwd: "/" });
  if (code !== 0) throw new Error(`${line.join(" ")} ended with ${code}:\n${stderr}`);
}

/** Why npm cannot install the package here; `null` if it can. */
export const NO_REGISTRY: string | null = await (async () => {
  const asked = ["@deno/linux-x64-glibc@2.9.6", "version", "--prefer-offline", "--fetch-retries=0"];
  try {
    const { code } = await run(["npm", "view", ...asked], { cwd: "/" });
    return code === 0 ? null : "npm's registry is out of reach";
  } catch {
    return "no npm";
  }
})();

/** Why no network namespace can be made here; `null` if one can. */
export const NO_NETWORK_NAMESPACE: string | null = await (async () => {
  try {
    const { code } = await run(["unshare", "--map-root-user", "--net", "true"]);
    return code === 0 ? null : "no network namespace can be made here";
  } catch {
    return "no unshare";
  }
})();

/** The installed package, in a temporary folder, with a HOME that is empty at first. */
export class Installed implements AsyncDisposable {
  readonly #folder: Folder;
  /** The tarball. */
  readonly tarball: string;

  private constructor(folder: Folder, tarball: string) {
    this.#folder = folder;
    this.tarball = tarball;
  }

  /** Packs this checkout and installs it globally, below a temporary prefix. */
  static async make(): Promise<Installed> {
    const folder = await Folder.make();
    try {
      await Deno.mkdir(`${folder.path}/home`, { mode: 0o700 });
      const flags = ["--quiet", "--no-prompt", "--lock=test/deno.lock", "--frozen", "--allow-all"];
      const { code, stdout, stderr } = await run(
        [Deno.execPath(), "run", ...flags, "test/support/pack.ts", folder.path],
        { cwd: ROOT },
      );
      const [name] = /[\w.-]+\.tgz/.exec(stdout) ?? [];
      if (code !== 0 || name === undefined) throw new Error(`pack ended with ${code}: ${stderr}`);
      const made = new Installed(folder, `${folder.path}/${name}`);
      await npm("install", "--global", `--prefix=${made.at("prefix")}`, made.tarball);
      return made;
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The absolute path of a name in the temporary folder. */
  at(name: string): string {
    return `${this.#folder.path}/${name}`;
  }

  /** The absolute path of a file of the installed package. */
  file(name: string): string {
    return this.at(`prefix/${PACKAGE}/${name}`);
  }

  /** Installs the package into a project, where npm shares dependencies. */
  async installInto(project: string): Promise<void> {
    await Deno.mkdir(this.at(project));
    await Deno.writeTextFile(this.at(`${project}/package.json`), "{}");
    await npm("install", `--prefix=${this.at(project)}`, this.tarball);
  }

  /** Takes it from its prefix again. */
  async uninstall(): Promise<void> {
    await npm("uninstall", "--global", `--prefix=${this.at("prefix")}`, "@dirtyring/dirtyring");
  }

  /** Runs a command line where no network can be reached; PATH begins with the prefix's `bin`. */
  async offline(...line: string[]): Promise<CliResult> {
    return await run([...HANGS, "unshare", "--map-root-user", "--net", ...line], {
      cwd: this.at("home"),
      clearEnv: true,
      env: { PATH: `${this.at("prefix/bin")}:/usr/bin:/bin`, HOME: this.at("home") },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
