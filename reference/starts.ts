// Starts and stops: live runs in one process, and whole processes.
import { live } from "../commands/live/live.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { nanosecondsSince } from "../ffi/linux.ts";
import type { Interrupt } from "../host/interrupt.ts";
import { ringVm } from "../machine/guest_vm.ts";
import { planLab } from "../machine/plan.ts";
import { quantile } from "../ring/distribution.ts";
import { type ProcessFacts, processFacts } from "./own_memory.ts";
import { Pair, Skip } from "./pair.ts";

const STARTS = 1000;
const VCPUS = 2;
/** More stores than a ring holds, so that the runs include full rings. */
const STORES = 600;
const RING = 256;
/**
 * The most time to wait for threads to end, since a Worker's thread may briefly outlive its last
 * message.
 */
const SETTLE_MS = 5_000;
/** The number of starts that a median of memory is taken over. */
const WINDOW = 50;

/**
 * Starts and stops a live run of two vCPUs again and again, and compares this process's resources
 * before and after: file descriptors, threads, KVM's mappings, memory.
 *
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {Error} If a run did not complete.
 */
export async function benchStarts(kernel: Kernel, interrupt: Interrupt): Promise<void> {
  for (const guest of ["real16", "long64"] as const) await start(kernel, interrupt, guest);
  const before = await settled(null);
  const rss: number[] = [];
  const started = performance.now();
  for (let n = 0; n < STARTS; n++) {
    await start(kernel, interrupt, n % 2 === 0 ? "real16" : "long64");
    rss.push(processFacts().rssKiB);
  }
  const each = (performance.now() - started) / STARTS;
  const after = await settled(before);
  const half = quantile(rss.slice(STARTS / 2 - WINDOW, STARTS / 2), 0.5);
  const end = quantile(rss.slice(-WINDOW), 0.5);
  console.log(
    `  ${STARTS} starts, ${each.toFixed(1)} ms each; memory ${mib(half)} after half of them, ` +
      `${mib(end)} at the end: ${mib(end - half)} more`,
  );
  for (const what of ["fds", "threads", "kvmMappings"] as const) {
    const left = after[what] > before[what] ? ": LEFT" : "";
    console.log(`  ${what}: ${before[what]} before, ${after[what]} after${left}`);
  }
  console.log(`  all mappings: ${before.mappings} before, ${after.mappings} after`);
}

async function start(
  kernel: Kernel,
  interrupt: Interrupt,
  guest: "real16" | "long64",
): Promise<void> {
  const plan = planLab({
    guest,
    vcpus: VCPUS,
    memory: 64 * 2 ** 20,
    slots: 1,
    ringBytes: RING * kvm_dirty_gfn.size,
    pattern: { name: "sequential", parameter: 0 },
    pages: STORES,
    rounds: 1,
    seed: 1,
  });
  using lab = ringVm(kernel, plan);
  const { vcpus, ok, error, lost, problems, interrupted } = await live(lab, interrupt, {
    stores: STORES,
    durationMs: null,
    intervalMs: 1,
    timeoutMs: 20_000,
  });
  const stores = vcpus.reduce((sum, vcpu) => sum + vcpu.stores, 0);
  if (ok && error === null && stores === STORES) return;
  const why = error ?? problems[0] ?? interrupted ?? `${lost.count} pages lost`;
  throw new Error(`${stores} of ${STORES} stores: ${why}`);
}

// The resources, once there are no more threads than before, or some time has passed.
async function settled(before: ProcessFacts | null): Promise<ProcessFacts> {
  const since = performance.now();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const facts = processFacts();
    const isSettled = before === null
      ? performance.now() - since > 500
      : facts.threads <= before.threads || performance.now() - since > SETTLE_MS;
    if (isSettled) return facts;
  }
}

function mib(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MiB`;
}

const WARM_UPS = 3;
const TURNS = 41;
const TARGET = { most: 2.5, text: "target within 2.5" };

const LAUNCHER = `${import.meta.dirname}/../bin/dirtyring`;

/** A command line with its environment. */
interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Measures whole processes: the launcher, from its start to its end, against an empty Deno program.
 * Both use the same Deno as this program.
 *
 * @param folder An existing folder for the empty program and the launcher's cache.
 * @throws {Skip} If `dirtyring dump` is not possible on this host.
 */
export async function benchStartup(folder: string): Promise<void> {
  const program = `${folder}/empty.ts`;
  await Deno.writeTextFile(program, "");
  const env = await environment(folder);
  const empty = {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", program],
    env,
  };
  const lines = [
    { args: ["dump", "--pages", "100"], target: TARGET },
    { args: ["--version"], target: null },
  ];
  for (const { args, target } of lines) {
    const ours = { command: LAUNCHER, args, env };
    const pair = new Pair(`dirtyring ${args.join(" ")}`, target);
    for (let turn = -WARM_UPS; turn < TURNS; turn++) {
      const ns = await time(ours);
      const emptyNs = await time(empty);
      if (turn >= 0) pair.add(ns, emptyNs);
    }
    console.log(pair.line());
  }
}

// The launcher uses the first deno of PATH, and caches that choice under XDG_CACHE_HOME. Here it
// must find this very Deno, and leave the user's cache alone. Deno's own cache is also under
// XDG_CACHE_HOME, so DENO_DIR must name it.
async function environment(folder: string): Promise<Readonly<Record<string, string>>> {
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] });
  const { stdout } = await info.output();
  const facts: Readonly<Record<string, unknown>> = JSON.parse(new TextDecoder().decode(stdout));
  const denoDir = facts["denoDir"];
  if (typeof denoDir !== "string") throw new Error("deno info --json names no denoDir");
  const binaries = Deno.execPath().replace(/\/[^/]*$/, "");
  return {
    DENO_DIR: denoDir,
    XDG_CACHE_HOME: folder,
    PATH: `${binaries}:${Deno.env.get("PATH") ?? ""}`,
  };
}

async function time({ command, args, env }: Program): Promise<number> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  const started = performance.now();
  const { code } = await child.spawn().status;
  const ns = nanosecondsSince(started);
  const line = [command.replace(/.*\//, ""), ...args].join(" ");
  if (code === 4) throw new Skip(`${line} says that this host cannot do it`);
  if (code !== 0) throw new Error(`${line} ended with ${code}`);
  return ns;
}
