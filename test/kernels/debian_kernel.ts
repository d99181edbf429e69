// Debian's kernels, fetched as packages and unpacked, never installed.
import { fileErrorText } from "../../host/errors.ts";
import { aptGet, type PackageHost, reasonOf } from "./package_host.ts";

/** A kernel that can be booted, or why there is none. */
export type Fetched =
  | {
    /** Where its package is unpacked. */
    readonly folder: string;
    /** The package's file name: `linux-image-6.1.0-56-amd64-unsigned_6.1.192-2_amd64.deb`. */
    readonly deb: string;
    /** Why it may not be the newest; `null` where it is. */
    readonly note: string | null;
  }
  | { readonly missing: string };

/** The file beside an unpacked package that names it: written last, so that it tells of a whole one. */
const NOTE = "package.txt";

/** Numbers are compared as such: 6.12.9 comes before 6.12.10. */
const byVersion = new Intl.Collator("en", { numeric: true });

/**
 * The newest kernel of a series.
 *
 * @param listing What `apt-cache search` printed: a package a line, its name first.
 * @param series `6.1`.
 * @returns The name of its package; `null` where there is none.
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
 * @param printed What `apt-get download --print-uris` printed: `'URI' NAME SIZE HASH`.
 * @returns The name, which tells the version; `null` where nothing does.
 */
export function debName(printed: string): string | null {
  return /^'[^']+' (\S+\.deb) \d+/m.exec(printed)?.[1] ?? null;
}

/**
 * Debian's newest kernel of a series. What was fetched before is used where it is still the newest, or no newer one
 * can be had.
 *
 * @param series `6.1`.
 * @param cache The folder that keeps unpacked packages, one for each series.
 * @param host Whose apt-get fetches it.
 * @returns The kernel, or why there is none.
 */
export async function fetchKernel(
  series: string,
  cache: string,
  host: PackageHost,
): Promise<Fetched> {
  try {
    await Deno.mkdir(cache, { recursive: true });
    // One at a time: another run may want the same kernel.
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
    // Bare machines have no lists of packages; old lists name what has gone.
    const update = await host.run(aptGet("update"));
    problem = await fetchNewest(series, folder, kept, host);
    // apt-get takes a mirror that does not answer for a reason to warn, and no more.
    if (problem !== null && update.stderr !== "") problem += ` (${reasonOf(update)})`;
  }
  if (problem !== null) return orKept(problem);
  return { folder, deb: await Deno.readTextFile(`${folder}/${NOTE}`), note: null };
}

// Why it could not be fetched, or null.
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

// Whole or not at all: it is unpacked beside its place. What a killed process left there goes first.
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
