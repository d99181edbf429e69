// Debian's kernels: their packages are fetched and unpacked, but never installed.
import { fileErrorText } from "../../host/errors.ts";
import { aptGet, type PackageHost, reasonOf } from "./package_host.ts";

/** A kernel that can be booted, or why there is none. */
export type Fetched =
  | {
    /** The folder of its unpacked package. */
    readonly folder: string;
    /** The package's file name: `linux-image-6.1.0-56-amd64-unsigned_6.1.192-2_amd64.deb`. */
    readonly deb: string;
    /** Why it may not be the newest; `null` if it is. */
    readonly note: string | null;
  }
  | { readonly missing: string };

/**
 * The file with the name of an unpacked package. It is written last: if it exists, the package is
 * complete.
 */
const NOTE = "package.txt";

/** Compares numbers in names by value: 6.12.9 comes before 6.12.10. */
const byVersion = new Intl.Collator("en", { numeric: true });

/**
 * The newest kernel of a series.
 *
 * @param listing The output of `apt-cache search`: a package in each line, its name first.
 * @param series For example `6.1`.
 * @returns The name of its package; `null` if there is none.
 */
export function newestKernel(listing: string, series: string): string | null {
  const names = listing.split("\n").map((line) => line.split(" ", 1)[0]!).filter((name) =>
    name.startsWith(`linux-image-${series}.`) && name.endsWith("-amd64-unsigned") &&
    !/-(rt|cloud)-/.test(name)
  );
  return names.sort(byVersion.compare).at(-1) ?? null;
}

/**
 * The file name of a package.
 *
 * @param printed The output of `apt-get download --print-uris`: `'URI' NAME SIZE HASH`.
 * @returns The name, which contains the version; `null` if there is none.
 */
export function debName(printed: string): string | null {
  return /^'[^']+' (\S+\.deb) \d+/m.exec(printed)?.[1] ?? null;
}

/**
 * Debian's newest kernel of a series. A kernel that was fetched before is used if it is still the
 * newest, or if no newer one can be fetched.
 *
 * @param series For example `6.1`.
 * @param cache The folder that keeps unpacked packages, one for each series.
 * @param host The host whose apt-get is used.
 * @returns The kernel, or why there is none.
 */
export async function fetchKernel(
  series: string,
  cache: string,
  host: PackageHost,
): Promise<Fetched> {
  try {
    await Deno.mkdir(cache, { recursive: true });
    // Another run may fetch the same kernel at the same time.
    using lock = await Deno.open(`${cache}/lock`, { write: true, create: true });
    await lock.lock(true);
    return await fetchLocked(series, `${cache}/${series}`, host);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { missing: `${cache}: ${fileErrorText(error)}` };
  }
}

async function fetchLocked(series: string, folder: string, host: PackageHost): Promise<Fetched> {
  const kept = await Deno.readTextFile(`${folder}/${NOTE}`).catch(() => null);
  const orKept = (missing: string): Fetched =>
    kept === null ? { missing } : { folder, deb: kept, note: missing };
  if (!await host.has("apt-get")) return orKept("no apt-get, which fetches Debian's kernels");
  let problem = await fetchNewest(series, folder, kept, host);
  if (problem !== null && host.isRoot) {
    // A fresh machine has no package lists, and old lists name packages that no longer exist.
    const update = await host.run(aptGet("update"));
    problem = await fetchNewest(series, folder, kept, host);
    // For a mirror that does not answer, apt-get update only warns and does not fail.
    if (problem !== null && update.stderr !== "") problem += ` (${reasonOf(update)})`;
  }
  if (problem !== null) return orKept(problem);
  return { folder, deb: await Deno.readTextFile(`${folder}/${NOTE}`), note: null };
}

// Fetches the newest kernel unless it is there already. Returns why that failed, or null.
async function fetchNewest(
  series: string,
  folder: string,
  kept: string | null,
  host: PackageHost,
): Promise<string | null> {
  const pattern = `^linux-image-${series.replaceAll(".", "\\.")}\\.`;
  const listing = await host.run(["apt-cache", "search", "--names-only", pattern]);
  const name = newestKernel(listing.stdout, series);
  if (name === null) return `apt knows no package linux-image-${series}.*-amd64-unsigned`;
  const uris = await host.run(aptGet("download", "--print-uris", name));
  const deb = debName(uris.stdout);
  if (deb === null) return `apt-get download ${name}: ${reasonOf(uris)}`;
  return deb === kept ? null : await unpack(name, deb, folder, host);
}

// Unpacks in a temporary folder and renames it, so that a package is complete or missing. Leftovers
// of a killed process are removed first.
async function unpack(
  name: string,
  deb: string,
  folder: string,
  host: PackageHost,
): Promise<string | null> {
  const part = `${folder}.part`;
  await removeAll(part);
  try {
    await Deno.mkdir(part);
    for (const command of [aptGet("download", name), ["dpkg-deb", "-x", deb, "."]]) {
      const ran = await host.run(command, part);
      if (ran.code !== 0) return `${command[0]} of ${name}: ${reasonOf(ran)}`;
    }
    await Deno.remove(`${part}/${deb}`);
    await Deno.writeTextFile(`${part}/${NOTE}`, deb);
    await removeAll(folder);
    await Deno.rename(part, folder);
    return null;
  } finally {
    await removeAll(part);
  }
}

async function removeAll(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
