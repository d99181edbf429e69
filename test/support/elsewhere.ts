import { type CliResult, shell } from "./cli.ts";

/** Runs a command in a place where /dev/kvm is something else, or absent; the host's is not touched. */
export async function elsewhere(setUp: string, command: string): Promise<CliResult> {
  return await shell(`unshare --mount sh -c '${setUp} && ${command}'`);
}

/** Why there is no such place here; `null` where there is. */
export const NO_NAMESPACE: string | null = await (async () => {
  try {
    return (await elsewhere("mount --bind /dev/null /dev/null", "true")).code === 0
      ? null
      : "no mount namespace can be made here (needs root)";
  } catch {
    return "no unshare";
  }
})();
