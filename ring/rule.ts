import { releaseNumber } from "./release_number.ts";

/** The kernel version whose rule counts `kvm_reset_dirty_gfn` calls; each holds until the next. */
export type Rule = "v5.11" | "v6.10" | "v6.17";

/** All rules, oldest first. */
export const RULES: readonly Rule[] = ["v5.11", "v6.10", "v6.17"];

/**
 * The rule of a kernel release. A release that cannot be read is taken for a new one.
 *
 * @example
 * ```ts
 * import { ruleOf } from "./rule.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["5.15.0-91-generic", "6.12.1", "6.18.44"].map(ruleOf), ["v5.11", "v6.10", "v6.17"]);
 * ```
 *
 * @param release What uname(2) calls the release, `6.18.44`.
 * @returns The newest rule that is not newer than the release.
 */
export function ruleOf(release: string): Rule {
  const version = releaseNumber(release);
  if (Number.isNaN(version)) return "v6.17";
  return version >= 6017 ? "v6.17" : version >= 6010 ? "v6.10" : "v5.11";
}

/**
 * How often a reset calls `kvm_reset_dirty_gfn` (virt/kvm/dirty_ring.c). Up to v6.16 each ring's walk
 * begins by flushing a batch that holds nothing yet (from v6.10 on that call returns at once); since
 * v6.17 it does not.
 *
 * @param rule The kernel version.
 * @param batches Batches found.
 * @param windows Ring walks: one for each ring in each reset call, also where nothing was harvested.
 * @returns Calls.
 */
export function resetCalls(rule: Rule, batches: number, windows: number): number {
  return rule === "v6.17" ? batches : batches + windows;
}
