// The programs of a Debian host, as what fetches kernels uses them: a test puts its own in their place.
import { findProgram } from "../../vm/child_of_ours.ts";

/** What a program came to. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A host that may have apt-get. */
export interface PackageHost {
  /** Whether packages may be installed. */
  readonly isRoot: boolean;
  /** Whether there is a program of this name, or path. */
  has(program: string): Promise<boolean>;
  /** Runs a program that is there, in a folder, and waits for its end. */
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

/** A mirror that does not answer costs half a minute, and another one for the second try. */
const PATIENCE = ["Acquire::http::Timeout=30", "Acquire::https::Timeout=30", "Acquire::Retries=1"];

/** The command line of apt-get. */
export function aptGet(...args: readonly string[]): string[] {
  return ["apt-get", ...PATIENCE.flatMap((option) => ["-o", option]), ...args];
}

/** Why a program failed, in its own words: apt's last error, otherwise its last line. */
export function reasonOf({ code, stderr }: Ran): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const last = lines.findLast((line) => line.startsWith("E: ")) ?? lines.at(-1);
  return last ?? `status ${code}`;
}
