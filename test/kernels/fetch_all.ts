// Fetches the kernels to check, and the programs that boot them.
import { environment } from "../../vm/guest_request.ts";
import { type Fetched, fetchKernel } from "./debian_kernel.ts";
import type { PackageHost } from "./package_host.ts";
import { installPrograms } from "./programs.ts";

/** A kernel of a series, or why there is none. */
export interface SeriesKernel {
  readonly series: string;
  readonly kernel: Fetched;
}

/** The folder of fetched kernels, `~/.cache/dirtyring/kernels`; `null` if there is no home. */
export function kernelsFolder(): string | null {
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home === null ? null : `${home}/.cache`);
  return cache === null ? null : `${cache}/dirtyring/kernels`;
}

/**
 * Fetches kernels, and installs the programs that a VM needs on its host. Without these programs no
 * kernel is fetched.
 *
 * @param cache The folder that keeps kernels, or `null` if there is none.
 * @param host The host whose apt-get is used.
 * @returns The kernel of each series, or why there is none.
 */
export async function fetchAll(
  series: readonly string[],
  cache: string | null,
  host: PackageHost,
): Promise<SeriesKernel[]> {
  const missing = cache === null
    ? "neither XDG_CACHE_HOME nor HOME says where a kernel can be kept"
    : await installPrograms(host);
  if (cache === null || missing !== null) {
    return series.map((one) => ({ series: one, kernel: { missing: missing ?? "" } }));
  }
  const kernels: SeriesKernel[] = [];
  for (const one of series) {
    kernels.push({ series: one, kernel: await fetchKernel(one, cache, host) });
  }
  return kernels;
}

/** A line for each fetched kernel, and one for each reason why kernels are missing. */
export function* fetchedText(kernels: readonly SeriesKernel[]): Generator<string> {
  const missing = new Map<string, string[]>();
  for (const { series, kernel } of kernels) {
    if ("missing" in kernel) {
      missing.set(kernel.missing, [...missing.get(kernel.missing) ?? [], series]);
    } else {
      yield `Linux ${series}: ${kernel.deb}` +
        (kernel.note === null ? "" : `, kept from before: ${kernel.note}`);
    }
  }
  for (const [why, series] of missing) {
    yield `Linux ${series.join(" and ")} cannot be asked: ${why}`;
  }
}
