// Tracing of kernel calls: names, thread, time stamps, files, and the children of `check`.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { traceKernel } from "../../ffi/trace.ts";
import { openModel } from "../../model/model_kernel.ts";
import { dirtyring } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { liveTest } from "../support/live.ts";

const MODEL = ["--backend", "model"];
const DUMP = ["dump", ...MODEL, "--pages", "3"];

Deno.test("flags of a call are shown by name, and what has none as a number", () => {
  const calls: string[] = [];
  const model = openModel({ version: "latest", pml: false, emulator: false });
  const kernel = traceKernel(model, (call) => calls.push(call.replace(/ = .*/, "")));
  kernel.open("/dev/kvm", 0o2000002);
  kernel.open("/x", 0o4400);
  kernel.open("/x", 0o10000001);
  kernel.mmap(4096, 7, 0x4022, -1, 0);
  kernel.mmap(4096, 0, 1 << 18, -1, 0);
  kernel.madvise(4096, 4096, 14);
  kernel.madvise(4096, 4096, 3);
  kernel.lseek(9, 0, 2);
  assertEquals(calls, [
    'open("/dev/kvm", O_RDWR|O_CLOEXEC)',
    'open("/x", O_RDONLY|O_NOCTTY|O_NONBLOCK)',
    'open("/x", 1|0x200000)',
    "mmap(4096, PROT_READ|PROT_WRITE|PROT_EXEC, " +
    "MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0x0)",
    "mmap(4096, 0, 0x40000, -1, 0x0)",
    "madvise(0x1000, 4096, MADV_HUGEPAGE)",
    "madvise(0x1000, 4096, 3)",
    "lseek(9, 0, SEEK_END)",
  ]);
});

Deno.test("a line has its thread, and its time where times are shown", async () => {
  const { code, stderr } = await dirtyring([...DUMP, "--trace"]);
  assertEquals(code, 0);
  for (const line of stderr.trimEnd().split("\n")) assertMatch(line, /^\d+ [a-z]\w*\(/);
  const timed = (await dirtyring(["--trace", ...DUMP, "--times"])).stderr.trimEnd().split("\n");
  const seconds = timed.map((line) => Number(/^\d+ +(\d+\.\d{6}) \w+\(/.exec(line)?.[1]));
  assert(seconds.length > 30 && seconds.every((one, n) => one >= (seconds[n - 1] ?? 0)), stderr);
});

Deno.test("--trace=FILE holds what stderr would, and replaces what stood there", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/a trace`;
  await folder.write("a trace", "what stood there before\n".repeat(1000));
  const { code, stdout, stderr } = await dirtyring([...DUMP, `--trace=${file}`]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "vCPU 0");
  const without = (text: string) => text.replaceAll(/^\d+ /gm, "");
  const shown = without((await dirtyring([...DUMP, "--trace"])).stderr);
  assertEquals(without(await Deno.readTextFile(file)), shown);
  const refused = await dirtyring([...DUMP, `--trace=${folder.path}`]);
  assertEquals([refused.code, refused.stdout], [2, ""]);
  assertMatch(refused.stderr, /^dirtyring: --trace \S+: EISDIR [^\n]*expected a file to write\n$/);
});

Deno.test("where no kernel is asked the file is empty", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/trace`;
  const { code } = await dirtyring(["check", ...MODEL, "--list", `--trace=${file}`]);
  assertEquals([code, await Deno.readTextFile(file)], [0, ""]);
});

Deno.test("the calls of the process that makes checks go to the file, too", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/trace`;
  const check = ["check", ...MODEL, "--only", "enable.once", `--trace=${file}`];
  const { code, stderr } = await dirtyring(check);
  assertEquals([code, stderr], [0, ""]);
  const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
  const threads = new Set(lines.map((line) => line.split(" ")[0]));
  assertEquals(threads.size, 2);
  assert(lines.some((line) => line.includes("KVM_ENABLE_CAP")));
});

liveTest("the calls of vCPUs' threads are traced with their own thread ids", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/trace`;
  const live = ["live", "--guest", "long64", "--stores", "3000", "--ring", "1024"];
  const { code, stderr } = await dirtyring([...live, `--trace=${file}`]);
  assertEquals([code, stderr], [0, ""]);
  const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
  const running = lines.filter((line) => line.includes("KVM_RUN"));
  assertEquals(new Set(running.map((line) => line.split(" ")[0])).size, 2);
  assert(!running[0]!.startsWith(lines[0]!.split(" ")[0]!), "a thread of its own");
});
