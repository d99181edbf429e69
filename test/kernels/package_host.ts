// The programs of a Debian host that are needed to fetch kernels, behind an interface that tests
// implement.
import { findProgram } from "../../vm/bound_process.ts";

/** The outcome of a program. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A host that may have apt-get. */
export interface PackageHost {
  /** Whether packages may be installed. */
  readonly isRoot: boolean;
  /** Whether a program with this name or path exists. */
  has(program: string): Promise<boolean>;
  /** Runs an existing program, in a folder if one is given, and waits for its end. */
  run(command: readonly string[], folder?: string): Promise<Ran>;
}

/** This host. */
export const THIS_HOST: PackageHost = {
  isRoot: Deno.uid() === 0,
  has: async (program) => await findProgram([program]) !== null,
  async run([program, ...args], folder) {
    const { code, stdout, stderr } = await new Deno.Command(program!, {
      args,
      ...(folder === undefined ? {} : { cwd: folder }),
      env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  },
};

/** Options that limit the wait for a mirror that does not answer to twice half a minute. */
const PATIENCE = ["Acquire::http::Timeout=30", "Acquire::https::Timeout=30", "Acquire::Retries=1"];

/** The command line of apt-get. */
export function aptGet(...args: readonly string[]): string[] {
  return ["apt-get", ...PATIENCE.flatMap((option) => ["-o", option]), ...args];
}

/** Why a program failed, from its stderr: apt's last error, otherwise the last line. */
export function reasonOf({ code, stderr }: Ran): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const last = lines.findLast((line) => line.startsWith("E: ")) ?? lines.at(-1);
  return last ?? `status ${code}`;
}
