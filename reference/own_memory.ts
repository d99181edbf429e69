// Measures the tool's own memory during a live run, without the guest's pages. Each guest runs in a
// process of its own, so that no run inherits memory from another: `benchOwnMemory` starts this
// file as a program.
import { live } from "../commands/live/live.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { openLibc } from "../ffi/libc.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { Interrupt } from "../host/interrupt.ts";
import { ringVm } from "../machine/guest_vm.ts";
import { planLab } from "../machine/plan.ts";
import { Skip } from "./pair.ts";

const MIB = 2 ** 20;
const SIZES: readonly number[] = [64 * MIB, 1024 * MIB, 16384 * MIB];
const PAGES = 1000;
const RING = 4096;
/**
 * Times at which memory is measured, and durations of the longest run and of the others, all in
 * milliseconds.
 */
const LOOKS_MS: readonly number[] = [1000, 2000, 4000, 8000];
const LONG_MS = 8500;
const SHORT_MS = 1500;

/** The memory at one moment of a run. */
interface Look {
  readonly what: string;
  readonly facts: ProcessFacts;
}

/**
 * Prints the memory of live runs, for guests of 64 MiB to 16 GiB that all dirty the same number of
 * pages; for the largest, also how it develops during the run.
 *
 * @throws {Skip} If a run cannot be made here.
 */
export async function benchOwnMemory(): Promise<void> {
  for (const memory of SIZES) {
    const isLongest = memory === SIZES.at(-1);
    const looks = await lookInChild(memory, isLongest ? LONG_MS : SHORT_MS);
    for (const { what, facts } of looks) {
      const own = facts.rssKiB - (PAGES * PAGE_SIZE) / 1024;
      console.log(
        `  ${`${memory / MIB} MiB`.padEnd(10)} ${what.padEnd(22)} ` +
          `${(own / 1024).toFixed(1).padStart(6)} MiB of its own, ` +
          `${(facts.pageTableKiB / 1024).toFixed(1).padStart(5)} MiB of page tables`,
      );
    }
  }
}

async function lookInChild(memory: number, durationMs: number): Promise<Look[]> {
  const args = ["run", "--quiet", "--no-prompt", "--allow-all", import.meta.filename!];
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args, `${memory}`, `${durationMs}`],
  });
  const { success, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (success) return JSON.parse(decode(stdout));
  throw new Skip(decode(stderr).split("\n")[0] ?? "no reason given");
}

async function look(memory: number, durationMs: number): Promise<Look[]> {
  const looks: Look[] = [];
  using interrupt = new Interrupt();
  using lab = ringVm(
    openLibc(),
    planLab({
      guest: "long64",
      vcpus: 2,
      memory,
      slots: 1,
      ringBytes: RING * kvm_dirty_gfn.size,
      // The pages are spread as far apart as possible.
      pattern: { name: "stride", parameter: Math.floor(memory / PAGE_SIZE / PAGES) },
      pages: PAGES,
      rounds: 1,
      seed: 1,
    }),
  );
  const { ok, error } = await live(lab, interrupt, {
    stores: null,
    durationMs,
    intervalMs: 10,
    timeoutMs: 60_000,
    watch({ elapsedNs }) {
      const due = LOOKS_MS[looks.length];
      if (due !== undefined && elapsedNs >= due * 1e6) {
        looks.push({ what: `after ${due / 1000} s`, facts: processFacts() });
      }
      return true;
    },
  });
  if (!ok || error !== null) throw new Error(error ?? "the run does not hold");
  looks.push({ what: "after the last check", facts: processFacts() });
  return looks;
}

if (import.meta.main) {
  const [memory, durationMs] = Deno.args.map(Number);
  console.log(JSON.stringify(await look(memory!, durationMs!)));
}

/** Resources of this process, from /proc. */
export interface ProcessFacts {
  /** Open file descriptors, without the one that is used to count them. */
  readonly fds: number;
  /** Threads. */
  readonly threads: number;
  /** Mappings of KVM's file descriptors: vCPUs and their rings. */
  readonly kvmMappings: number;
  /** All mappings. */
  readonly mappings: number;
  /** Resident memory in KiB (`VmRSS`). */
  readonly rssKiB: number;
  /** Page tables in KiB (`VmPTE`). */
  readonly pageTableKiB: number;
}

/** Reads the resources of this process. */
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
