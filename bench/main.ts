// dirtyring against C, and against an empty program: ratios, each from one run. See README.md here.
import { benchInterpreter } from "./interpreter.ts";
import { openLibc } from "../ffi/libc.ts";
import { kvmModule } from "../lab/host.ts";
import { compileReference } from "./compile_reference.ts";
import { benchGuestTime } from "./guest_time.ts";
import { benchHarvest, benchHarvestOfKvm } from "./harvest.ts";
import { Reference } from "./reference.ts";
import { orSkip } from "./skip.ts";
import { benchStartup } from "./startup.ts";

async function againstC(folder: string): Promise<void> {
  using reference = new Reference(await compileReference(folder));
  const kernel = openLibc();
  console.log("Harvest of a full ring, against C on the same memory");
  await orSkip("  made-up ring", () => benchHarvest(kernel, reference));
  await orSkip("  KVM's ring", () => benchHarvestOfKvm(kernel, reference));
  console.log("Rounds of a VM, against a VM that C runs");
  await orSkip("  rounds", () => benchGuestTime(kernel, reference));
}

// What the numbers belong to.
async function printHost(): Promise<void> {
  const cores = navigator.hardwareConcurrency;
  const load = Deno.loadavg()[0]!.toFixed(2);
  console.log(`Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}, ${cores} cores, load ${load}`);
  await orSkip("KVM", () => console.log(`KVM: ${kvmModule(openLibc()) ?? "no module known"}`));
  console.log("ratio of medians (middle half of the turns), dirtyring's median to the other\n");
}

const folder = await Deno.makeTempDir({ prefix: "dirtyring-bench-" });
try {
  await printHost();
  console.log("The model's interpreter");
  benchInterpreter();
  await orSkip("Against C", () => againstC(folder));
  console.log("Whole processes, against an empty Deno program");
  await orSkip("  processes", () => benchStartup(folder));
} finally {
  await Deno.remove(folder, { recursive: true });
}
