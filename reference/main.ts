// Benchmarks of dirtyring against C and against an empty program. Each result is a ratio from one
// run; see reference/README.md. The command line may name the parts to run: deno task bench live
// growth
import { openLibc } from "../ffi/libc.ts";
import { kvmModule } from "../host/facts.ts";
import { Interrupt } from "../host/interrupt.ts";
import { compileReference, Reference } from "./compile_reference.ts";
import { benchGrowth } from "./growth.ts";
import { benchGuestTime } from "./guest_time.ts";
import { benchHarvest, benchHarvestOfKvm } from "./harvest.ts";
import { benchInterpreter } from "./interpreter.ts";
import { benchLive } from "./live.ts";
import { benchOwnMemory } from "./own_memory.ts";
import { orSkip } from "./pair.ts";
import { benchStarts, benchStartup } from "./starts.ts";

/** A part of the benchmarks. */
interface Part {
  readonly title: string;
  run(folder: string): void | Promise<void>;
}

const PARTS: Readonly<Record<string, Part>> = {
  interpreter: {
    title: "The model's interpreter",
    run: benchInterpreter,
  },
  harvest: {
    title: "Harvest of a full ring, against C on the same memory",
    async run(folder) {
      using reference = new Reference(await compileReference(folder));
      benchHarvest(openLibc(), reference);
      await orSkip("  KVM's ring", () => benchHarvestOfKvm(openLibc(), reference));
    },
  },
  rounds: {
    title: "Rounds of a VM, against a VM that C runs",
    async run(folder) {
      using reference = new Reference(await compileReference(folder));
      await benchGuestTime(openLibc(), reference);
    },
  },
  live: {
    title: "Live runs of two vCPUs, against live runs in C",
    async run(folder) {
      using reference = new Reference(await compileReference(folder));
      using interrupt = new Interrupt();
      await benchLive(openLibc(), reference, interrupt);
    },
  },
  growth: {
    title: "Learning 1000 random dirty pages, by the guest's memory",
    run: () => benchGrowth(openLibc()),
  },
  memory: {
    title: "Memory of a live run, without the guest's pages",
    run: benchOwnMemory,
  },
  starts: {
    title: "Starts and stops of a live run of two vCPUs, in one process",
    async run() {
      using interrupt = new Interrupt();
      await benchStarts(openLibc(), interrupt);
    },
  },
  processes: {
    title: "Whole processes, against an empty Deno program",
    run: benchStartup,
  },
};

// Prints what the numbers depend on: host, Deno, load and KVM.
async function printHost(): Promise<void> {
  const cores = navigator.hardwareConcurrency;
  const load = Deno.loadavg()[0]!.toFixed(2);
  console.log(`Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}, ${cores} cores, load ${load}`);
  await orSkip("KVM", () => console.log(`KVM: ${kvmModule(openLibc()) ?? "no module known"}`));
  console.log("ratio of medians (middle half of the turns), dirtyring's median to the other\n");
}

const names = Deno.args.length > 0 ? Deno.args : Object.keys(PARTS);
const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  console.error(`No part ${unknown}: there are ${Object.keys(PARTS).join(", ")}`);
  Deno.exit(2);
}
const folder = await Deno.makeTempDir({ prefix: "dirtyring-bench-" });
try {
  await printHost();
  for (const name of names) {
    const { title, run } = PARTS[name]!; // checked above
    console.log(title);
    await orSkip(`  ${name}`, () => run(folder));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
