import { readHostFile } from "../lab/host_files.ts";

/**
 * A variable of this process's environment, for which Deno would need a permission of its own.
 *
 * @param name Its name.
 * @returns Its value, or `null` where it is not set, or empty.
 */
export function environment(name: string): string | null {
  const text = new TextDecoder().decode(readHostFile("/proc/self/environ"));
  const found = text.split("\0").find((one) => one.startsWith(`${name}=`));
  return found?.slice(name.length + 1) || null;
}

/**
 * The folder for what is made once and used again, `~/.cache/dirtyring/vm`.
 *
 * @returns The folder, made if need be; `null` where there is no home, or it cannot be made.
 */
export async function cacheFolder(): Promise<string | null> {
  const home = environment("HOME");
  const set = environment("XDG_CACHE_HOME");
  // A relative one is to be ignored, says its specification.
  const cache = set?.startsWith("/") ? set : home === null ? null : `${home}/.cache`;
  if (cache === null) return null;
  const folder = `${cache}/dirtyring/vm`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return null;
  }
}
