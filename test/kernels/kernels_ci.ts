// The runs of `.ci/run` on real kernels, where Debian's packages can be fetched: `check`, random
// programs and a live run on each, in a VM of its own. The last line is
// `kernels: N passed, N failed, N skipped`.
import { checkKernelsText } from "../../commands/check/check_kernels_text.ts";
import { fuzzKernelsText } from "../../commands/fuzz/fuzz_text.ts";
import { askChecks, askFuzz, kernelOptions, type Kernels, runTool } from "./ask.ts";
import { emulatorOf } from "./emulator.ts";
import { fetchAll, fetchedText, kernelsFolder } from "./fetch_all.ts";
import { SERIES } from "./matrix.ts";
import { THIS_HOST } from "./package_host.ts";
import { checksProblem, fuzzProblem } from "./problems.ts";
import { Tally } from "./tally.ts";

/** The number of runs on each kernel. */
const RUNS = 3;
const PROGRAMS = { programs: 50, seed: 1 };
/** Made for emulation in software, where the guest makes some thousand stores in a second. */
const LIVE = ["live", "--duration", "2s", "--guest", "long64", "--ring", "1024"];
/** The limit of a check. With other load, an emulated VM can be slower than its measured pace. */
const CHECK_LIMIT = ["--timeout", "2m"];

const say = (line: string) => console.log(line);
const head = (what: string) =>
  say(`\n-- ${what} (after ${Math.round(performance.now() / 1000)} s)`);
const print = (chunks: Iterable<string>) => say([...chunks].join("").trimEnd());

async function live(series: string, kernels: Kernels, tally: Tally): Promise<void> {
  const { code, stdout, stderr } = await runTool([...LIVE, ...kernelOptions(kernels)]);
  print([`\nLinux ${series}\n`, stdout, stderr]);
  tally.count(`live run, Linux ${series}`, code === 0 ? null : `status ${code}`);
}

async function askAll(found: readonly { series: string; folder: string }[], tally: Tally) {
  const kernels = { folders: found.map(({ folder }) => folder), options: [] };
  head("check");
  const checks = await askChecks({ ...kernels, options: CHECK_LIMIT }, runTool);
  print(checkKernelsText(checks));
  for (const [n, run] of checks.kernels.entries()) {
    tally.count(`check, Linux ${found[n]!.series}`, checksProblem(run));
  }
  head(`fuzz ${PROGRAMS.programs}`);
  const fuzz = await askFuzz(PROGRAMS, kernels, runTool);
  print(fuzzKernelsText(fuzz));
  for (const [n, run] of fuzz.kernels.entries()) {
    tally.count(`fuzz, Linux ${found[n]!.series}`, fuzzProblem(run));
  }
  head(LIVE.join(" "));
  await Promise.all(
    found.map(({ series, folder }) => live(series, { folders: [folder], options: [] }, tally)),
  );
}

if (import.meta.main) {
  const tally = new Tally(say);
  const kernels = await fetchAll(SERIES, kernelsFolder(), THIS_HOST);
  for (const line of fetchedText(kernels)) say(line);
  const found = kernels.flatMap(({ series, kernel }) =>
    "missing" in kernel ? [] : [{ series, folder: kernel.folder }]
  );
  const [first] = found;
  const emulator = first === undefined ? null : await emulatorOf(null, first.folder);
  if (typeof emulator === "string") {
    say(`in ${emulator}`);
    tally.skip((kernels.length - found.length) * RUNS);
    await askAll(found, tally);
  } else {
    if (emulator !== null) say(`no kernel can be asked: ${emulator.missing}`);
    tally.skip(kernels.length * RUNS);
  }
  say(tally.text);
  Deno.exit(tally.ok ? 0 : 1);
}
