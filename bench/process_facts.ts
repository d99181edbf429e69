/** What this process holds of the system, as /proc tells. */
export interface ProcessFacts {
  /** Open file descriptors, without the one that counts them. */
  readonly fds: number;
  /** Threads. */
  readonly threads: number;
  /** Mappings of KVM's file descriptors: vCPUs and their rings. */
  readonly kvmMappings: number;
  /** All mappings. */
  readonly mappings: number;
  /** KiB in memory (`VmRSS`). */
  readonly rssKiB: number;
  /** KiB of page tables (`VmPTE`). */
  readonly pageTableKiB: number;
}

/**
 * Counts what this process holds.
 *
 * @returns The counts.
 */
export function processFacts(): ProcessFacts {
  const status = Deno.readTextFileSync("/proc/self/status");
  const maps = Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    fds: [...Deno.readDirSync("/proc/self/fd")].length - 1,
    threads: field("Threads"),
    kvmMappings: maps.filter((line) => line.includes("kvm")).length,
    mappings: maps.length,
    rssKiB: field("VmRSS"),
    pageTableKiB: field("VmPTE"),
  };
}
