// The command line on a live kernel, spawned.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMAND_NAMES, loadCommand } from "../../commands/registry.ts";
import { dirtyring, RunningCli, shell } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { liveTest } from "../support/live.ts";

async function json(...args: string[]) {
  const { code, stdout, stderr } = await dirtyring([...args, "--format", "json"]);
  assertEquals([code, stderr], [0, ""], args.join(" "));
  return JSON.parse(stdout);
}

/** Makes the results that an example compares, as the user of the example did before. */
async function makeCompared(name: string, line: string, folder: string): Promise<void> {
  const makes: Readonly<Record<string, string>> = {
    compare: "stats",
    bench: "bench --sweep pattern --repetitions 5",
    check: "check",
  };
  const read = name === "compare"
    ? [...line.matchAll(/\S+\.json/g)].map(([file]) => file)
    : [...line.matchAll(/--(?:expect|baseline) (\S+)/g)].map(([, file]) => file!);
  for (const file of new Set(read)) {
    const make = `dirtyring ${makes[name]} --format json >${file}`;
    const { code, stderr } = await shell(make, folder);
    assertEquals([code, stderr], [0, ""], make);
  }
}

liveTest("every example of help works as printed", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  for (const name of COMMAND_NAMES) {
    for (const [line] of (await loadCommand(name)).examples) {
      await makeCompared(name, line, folder);
      const { code, stdout, stderr } = await shell(line, folder);
      // Whether a time is worse than a minute ago is not what this tests.
      const isTimed = /--baseline|compare/.test(line);
      assertEquals([isTimed && code === 1 ? 0 : code, stderr], [0, ""], line);
      const file = / --output (\S+)/.exec(line)?.[1];
      // What goes to a folder is printed beside.
      const isFile = file !== undefined && (await Deno.stat(`${folder}/${file}`)).isFile;
      const result = isFile ? await Deno.readTextFile(`${folder}/${file}`) : stdout;
      assert(result.length > 0, line);
    }
  }
});

liveTest(
  "every result names its schema, its kernel and, for a lab, its options and slots",
  async () => {
    // A bench takes minutes; one cell of it does not.
    const bench = ["--sweep", "cost", "--memory", "1MiB", "--pages", "16", "--repetitions", "1"];
    // Of restore test/commands/checkpoint/command_test.ts tells.
    for (const name of COMMAND_NAMES.filter((one) => !["restore", "compare"].includes(one))) {
      const args = { bench, fuzz: ["5"], live: ["--pages", "256", "--stores", "2000"] }[name] ?? [];
      const result = await json(name, ...args);
      assertEquals(result.schema, `dirtyring.${name}/1`);
      assertEquals(Object.keys(result.kernel), [
        "backend",
        "model",
        "release",
        "module",
        "ringMaxBytes",
      ]);
      if (["probe", "enable", "check", "fuzz", "bench"].includes(name)) continue;
      assertEquals(result.lab.pages, 256);
      assertEquals(result.slots.map(({ id, logged }: Record<string, unknown>) => [id, logged]), [
        [0, false],
        [1, true],
      ]);
    }
  },
);

liveTest("dump writes the same entries in every format", async () => {
  const args = ["dump", "--vcpus", "2", "--pages", "9"];
  const { rings } = await json(...args);
  const csv = (await dirtyring([...args, "--format", "csv"])).stdout.trim().split("\n");
  const ndjson = (await dirtyring([...args, "--format", "ndjson"])).stdout.trim().split("\n");
  assertEquals([csv.length - 1, ndjson.length], [9, 9]);
  assertEquals(JSON.parse(ndjson[5]!), { vcpu: 1, ...rings[1].entries[0] });
  const one = await json(...args, "--vcpu", "1");
  assertEquals(one.rings, [rings[1]]);
  const all = await json(...args, "--all");
  assertEquals(all.rings[0].entries.length, 4096);
});

liveTest("dump says on stderr that a ring is full where stdout has no place for it", async () => {
  const args = ["dump", "--ring", "1024", "--pages", "1100", "--format", "csv"];
  const { code, stderr } = await dirtyring(args);
  assertEquals(code, 0);
  assertMatch(stderr, /^dirtyring: vCPU 0: the ring is full after [^\n]*\n$/);
});

liveTest("a pattern comes from standard input or from a shell's pipe", async () => {
  const { stdout } = await dirtyring(
    ["dump", "--pattern", "file:-", "--format", "csv"],
    "3\n0x10\n",
  );
  assertEquals(stdout.trim().split("\n").map((line) => line.split(",")[6]), ["offset", "3", "16"]);
  const repeated = await dirtyring(["run", "--pattern", "file:-", "--pages", "5"], "3\n1\n");
  assertEquals(repeated.code, 0);
});

liveTest("the same seed gives the same run, another seed another", async () => {
  const entries = async (seed: string) =>
    (await dirtyring(["dump", "--pattern", "random", "--seed", seed, "--format", "csv"])).stdout;
  assertEquals(await entries("7"), await entries("7"));
  assert(await entries("7") !== await entries("8"));
});

liveTest("what the kernel refuses is reported with status 3", async () => {
  const { code, stdout, stderr } = await dirtyring(["enable", "--ring", "5000"]);
  assertEquals([code, stdout], [3, ""]);
  assertMatch(
    stderr,
    /^dirtyring: KVM_ENABLE_CAP\(KVM_CAP_DIRTY_LOG_RING, 80000\): EINVAL [^\n]+\n$/,
  );
});

liveTest(
  "limits that the kernel reports are status 3, and a gap beyond the entries 2",
  async () => {
    for (const [option, value] of [["--vcpus", "99999"], ["--slots", "99999"]] as const) {
      const { code, stderr } = await dirtyring(["dump", option, value, "--memory", "1GiB"]);
      assertEquals(code, 3);
      assertStringIncludes(stderr, `${option} ${value}: this kernel allows`);
    }
    const gap = await dirtyring(["reset", "--gap", "256"]);
    assertEquals([gap.code, gap.stdout], [2, ""]);
  },
);

liveTest("no file descriptors left is status 3", async () => {
  // Deno itself needs some forty; a thousand vCPUs need a thousand more.
  const { code, stderr } = await shell("ulimit -n 200; dirtyring dump --vcpus 900 --pages 900");
  assertEquals(code, 3, stderr);
  assertMatch(stderr, /^dirtyring: [^\n]*EMFILE[^\n]*\n$/);
});

liveTest("a closed pipe ends a command silently", async () => {
  const { code, stdout, stderr } = await shell(
    "dirtyring dump --pages 4000 --format csv | head -1",
  );
  assertEquals([code, stdout, stderr], [
    0,
    "vcpu,index,flags,state,addressSpace,slot,offset,gfn\n",
    "",
  ]);
});

liveTest("--trace shows every kernel call on stderr, and stdout stays as it is", async () => {
  const plain = await dirtyring(["dump", "--pages", "3"]);
  const traced = await dirtyring(["dump", "--pages", "3", "--trace"]);
  assertEquals(traced.stdout, plain.stdout);
  for (const call of ["KVM_CREATE_VM", "KVM_ENABLE_CAP", "KVM_RUN", "close("]) {
    assertStringIncludes(traced.stderr, call);
  }
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  liveTest(`${signal} ends run at once, with what it gathered and status ${status}`, async () => {
    const args = ["run", "--rounds", "1000000", "--format", "json", "--trace"];
    const child = new RunningCli(args);
    await child.prints("stderr", "KVM_RESET_DIRTY_RINGS", 3); // at least one in a round
    const { code, stdout } = await child.ends(signal);
    const result = JSON.parse(stdout);
    assertEquals([code, result.interrupted, result.ok], [status, signal, true]);
    assert(result.rounds.length > 0 && result.rounds.length < 1_000_000);
  });
}

liveTest("an interrupt stops a vCPU that is inside KVM_RUN for long", async () => {
  // A ring that never fills up: a round is one KVM_RUN.
  const size = ["--memory", "1MiB", "--pages", "2000000", "--ring", "65536", "--rounds", "2000"];
  const child = new RunningCli(["run", "--vcpus", "1", ...size, "--trace"]);
  await child.prints("stderr", "KVM_SET_REGS"); // the last call before it
  const { code, stdout } = await child.ends("SIGINT");
  assertEquals(code, 130);
  assertStringIncludes(stdout, "interrupted by SIGINT");
});
