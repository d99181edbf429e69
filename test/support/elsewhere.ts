import { type CliResult, shell } from "./cli.ts";

/**
 * Runs a command in a mount namespace in which `setUp` can replace or hide /dev/kvm. The host's is
 * not touched.
 */
export async function elsewhere(setUp: string, command: string): Promise<CliResult> {
  return await shell(`unshare --mount sh -c '${setUp} && ${command}'`);
}

/** Why no mount namespace can be made here; `null` if one can. */
export const NO_NAMESPACE: string | null = await (async () => {
  try {
    return (await elsewhere("mount --bind /dev/null /dev/null", "true")).code === 0
      ? null
      : "no mount namespace can be made here (needs root)";
  } catch {
    return "no unshare";
  }
})();
