// All kernels that are to be asked, and what boots them.
import { environment } from "../../vm/guest_request.ts";
import { type Fetched, fetchKernel } from "./debian_kernel.ts";
import type { PackageHost } from "./package_host.ts";
import { installPrograms } from "./programs.ts";

/** A kernel of a series, or why there is none. */
export interface SeriesKernel {
  readonly series: string;
  readonly kernel: Fetched;
}

/** The folder of fetched kernels, or `null` where there is no home: `~/.cache/dirtyring/kernels`. */
export function kernelsFolder(): string | null {
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home === null ? null : `${home}/.cache`);
  return cache === null ? null : `${cache}/dirtyring/kernels`;
}

/**
 * Fetches kernels, and installs what a VM needs of its host. Where that cannot be had there is no kernel either.
 *
 * @param cache The folder that keeps them, or `null` where there is none.
 * @param host Whose apt-get is used.
 * @returns What there is of each.
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

/** What is said of them, a line each; those that are missing for one reason share one. */
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
