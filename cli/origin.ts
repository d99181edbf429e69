// Which program runs: its version, and the commit of its sources.
import project from "../deno.json" with { type: "json" };

/** The version, as deno.json has it. */
export const VERSION: string = project.version;

const HASH = /^[0-9a-f]{40,64}$/;

/**
 * The commit of the program's sources: in a package the file `COMMIT` holds it, in a checkout git's
 * own files.
 *
 * @returns The whole hash, or `null` if it is not known. Changes that are not committed are not
 * noticed.
 */
export function sourceCommit(): string | null {
  const packed = read("COMMIT");
  if (packed !== null) return HASH.test(packed) ? packed : null;
  const head = read(".git/HEAD");
  if (head === null || HASH.test(head)) return head;
  const ref = /^ref: (refs\/[\w./-]+)$/.exec(head)?.[1];
  if (ref === undefined || ref.includes("..")) return null;
  const loose = read(`.git/${ref}`);
  if (loose !== null) return HASH.test(loose) ? loose : null;
  const line = (read(".git/packed-refs") ?? "").split("\n").find((one) => one.endsWith(` ${ref}`));
  const hash = line?.split(" ")[0] ?? "";
  return HASH.test(hash) ? hash : null;
}

// A file of the program's own folder, which it may always read.
function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(new URL(`../${path}`, import.meta.url)).trim();
  } catch {
    return null;
  }
}
