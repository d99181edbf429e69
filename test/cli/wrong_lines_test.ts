// Wrong command lines of each kind: one line on stderr that names the value and says what to do, the
// documented status, nothing on stdout, no stack, nothing left behind. Words are split at spaces, and
// '' is an empty one.
import { assert, assertEquals } from "@std/assert";
import { BISECT_STATUSES, STATUSES } from "../../cli/topics/statuses.ts";
import { resourceLimit } from "../../ffi/process.ts";
import { surviveFileLimit } from "../../host/exhaustion.ts";
import { inFolder } from "../support/folder.ts";
import { LIBC } from "../support/libc.ts";
import { inProcess } from "../support/in_process.ts";

// Bind what is called: what a test binds itself counts as left open.
resourceLimit("RLIMIT_NOFILE");
LIBC.gettid();
surviveFileLimit();

/** A command line, its status, and what its line on stderr begins with. */
const WRONG: readonly (readonly [line: string, status: number, said: string])[] = [
  ["dmp", 2, "unknown command dmp; did you mean dirtyring dump?"],
  ["chekc", 2, "unknown command chekc; did you mean dirtyring check?"],
  ["version", 2, "unknown command version; did you mean dirtyring --version?"],
  ["hlep", 2, "unknown command hlep; did you mean dirtyring help?"],
  ["glossary", 2, "unknown command glossary; did you mean dirtyring help glossary?"],
  ["''", 2, 'unknown command "";'],
  ["--trace", 2, "a command is missing;"],
  ["--hlep", 2, "unknown option --hlep; did you mean --help?"],
  ["-x", 2, "unknown option -x;"],
  ["--foo=1", 2, "unknown option --foo;"],
  ["--version=1", 2, "--version=1: --version takes no value"],
  ["--help=yes", 2, "--help=yes: --help takes no value"],
  ["--trace=on dump", 2, "--trace=on: the command comes first;"],
  ["--pages=3 dump", 2, "--pages=3: the command comes first;"],
  ["-- dump", 2, "--: the command comes first;"],
  ["help dmp", 2, "unknown command or topic dmp; did you mean dirtyring help dump?"],
  ["help foo", 2, "unknown command or topic foo;"],
  ["help dump run", 2, "unexpected run;"],
  ["help --all dump", 2, "--all: tells everything, and takes no command or topic"],
  ["help --all --man", 2, "--man and --all: expected"],
  ["help --man foo", 2, "unknown command foo;"],
  ["help --man glossary", 2, "--man glossary: a topic has no page of its own;"],
  ["completions", 2, "completions: SHELL is missing;"],
  ["completions tcsh", 2, "completions tcsh: expected"],
  ["completions bash --output x", 2, "unknown option --output;"],
  ["dump extra", 2, "unexpected extra;"],
  ["dump --page 3", 2, "unknown option --page; did you mean --pages?"],
  ["dump --foo", 2, "unknown option --foo;"],
  ["dump -p", 2, "unknown option -p;"],
  ["dump --pages", 2, "--pages: a value is missing;"],
  ["dump --pages ''", 2, '--pages "": expected'],
  ["dump --pages x", 2, "--pages x: expected"],
  ["dump --pages -1", 2, "--pages -1: expected"],
  ["dump --pages 0", 2, "--pages 0: expected"],
  ["dump --pages 268435457", 2, "--pages 268435457: expected"],
  ["dump --pages 3 --pages 4", 2, "--pages is given 2 times;"],
  ["dump --vcpus 0", 2, "--vcpus 0: expected"],
  ["dump --vcpus 9007199254740992", 2, "--vcpus 9007199254740992: expected"],
  ["dump --backend kwm", 2, "--backend kwm: expected"],
  ["dump --guest real32", 2, "--guest real32: expected"],
  ["dump --format xml", 2, "--format xml: expected"],
  ["dump --model v6.1", 2, "--model v6.1: works with --backend model or auto, not with kvm"],
  ["dump --backend model --model v5.10", 2, "--model v5.10: expected"],
  ["dump --backend model --model v6.1+pml+pml", 2, "--model v6.1+pml+pml: expected"],
  ["dump --backend model --model v6.1+foo", 2, "--model v6.1+foo: expected"],
  ["dump --memory 64", 2, "--memory 64: expected"],
  ["dump --memory 64XB", 2, "--memory 64XB: expected"],
  [
    "dump --backend model --memory 4GiB",
    2,
    "--memory 4GiB: a real-mode guest reaches 4GiB with its 32-bit addresses, less 272KiB that KVM may need, its code among it;",
  ],
  ["dump --backend model --slots 0", 2, "--slots 0: expected"],
  ["dump --backend model --memory 8KiB --slots 3", 2, "--slots 3: 8KiB of memory is only 2 pages;"],
  [
    "dump --ring 4GiB",
    2,
    "--ring 4GiB: that is 4294967296 bytes, and the kernel would look at the low 32 bits alone;",
  ],
  ["dump --ring 100B", 2, "--ring 100B: expected"],
  ["dump --ring x", 2, "--ring x: expected"],
  ["dump --pattern foo", 2, "--pattern foo: expected"],
  ["dump --pattern stride", 2, "--pattern stride: expected"],
  ["dump --pattern stride:0", 2, "--pattern stride:0: expected"],
  ["dump --pattern sequential:3", 2, "--pattern sequential:3: sequential takes no number after it"],
  ["dump --pattern file:", 2, "--pattern file:: expected"],
  [
    "dump --backend model --pattern file:/nowhere/at/all",
    2,
    "--pattern file:/nowhere/at/all: open(/nowhere/at/all): ENOENT (no such file or directory);",
  ],
  [
    "dump --backend model --pattern file:kept",
    2,
    "--pattern file:kept: read(kept): EISDIR (is a directory);",
  ],
  ["dump --vcpu 1", 2, "--vcpu 1: expected"],
  ["dump --limit 1 --format csv", 2, "--limit 1: works with --format text alone, not with csv"],
  [
    "dump --kernel-state --format ndjson",
    2,
    "--kernel-state: works with --format text or json, not with ndjson",
  ],
  ["dump --all=yes", 2, "--all=yes: --all takes no value"],
  ["dump --seed -5", 2, "--seed -5: expected"],
  ["dump --output ''", 2, '--output "": expected'],
  ["dump --output svg:a.svg", 2, "--output svg:a.svg: dump writes no svg;"],
  ["dump --output a.xml", 2, "--output a.xml: dump writes no junit;"],
  [
    "dump --output /nowhere/at/all/a.json",
    2,
    "--output /nowhere/at/all/a.json: ENOENT (no such file or directory);",
  ],
  [
    "dump --output a.json --output text:./a.json",
    2,
    "--output a.json and --output ./a.json: expected two different files",
  ],
  ["dump --output - --output json:-", 2, "--output -: is given twice;"],
  ["dump --trace=a --output a", 2, "--output a and --trace a: expected two different files"],
  ["dump --modules x", 2, "--modules: goes with --kernel, of whose machine it tells"],
  ["dump --kernel", 2, "--kernel: a value is missing;"],
  ["dump --kernel ''", 2, '--kernel "": expected'],
  [
    "dump --kernel x --backend model",
    2,
    "--backend model: does not go with --kernel, which asks a real one",
  ],
  ["dump --kernel /nowhere/bzImage", 2, "--kernel /nowhere/bzImage: no such file or folder"],
  ["dump --kernel x --vm-cpus 65", 2, "--vm-cpus 65: expected"],
  ["dump --kernel x --vm-timeout 5", 2, "--vm-timeout 5: expected"],
  ["dump --kernel x --kernel-args --", 2, "--kernel-args --: expected"],
  ["run --live", 2, "run --live is a command of its own: dirtyring live"],
  ["run --rounds 0", 2, "--rounds 0: expected"],
  ["run --rule v5.10", 2, "--rule v5.10: expected"],
  [
    "checkpoint --restore x",
    2,
    "checkpoint --restore is a command of its own: dirtyring restore DIR",
  ],
  [
    "checkpoint --max-dirty 5 --tracking bitmap",
    2,
    "--max-dirty 5: works with --tracking ring alone;",
  ],
  ["checkpoint --interval 5", 2, "--interval 5: expected"],
  ["checkpoint --into ''", 2, '--into "": expected'],
  ["check --fuzz 9", 2, "check --fuzz is a command of its own: dirtyring fuzz N"],
  [
    "check --only reset.cuont",
    2,
    "--only reset.cuont: matches no check; did you mean reset.count?",
  ],
  ["check --skip rset.*", 2, "--skip rset.*: matches no check; did you mean reset.*?"],
  [
    "check --only reset.count --skip reset.count",
    2,
    "--only reset.count and --skip reset.count: leave no check;",
  ],
  ["check --list --format ktap", 2, "--list: works with --format text or json, not with ktap"],
  ["check --timeout 0s", 2, "--timeout 0s: expected"],
  ["check --repeat 0", 2, "--repeat 0: expected"],
  ["check --only ,", 2, "--only ,: expected"],
  ["fuzz x", 2, "fuzz x: expected"],
  ["fuzz 5 --file x", 2, "fuzz 5: does not go with --file, which is one program"],
  ["fuzz 5 6", 2, "unexpected 6;"],
  ["fuzz --backend model", 2, "unknown option --backend;"],
  ["live --timeout 2s", 2, "--timeout: goes with --stores, which it limits;"],
  ["live --stores 2 --duration 2s", 2, "--stores 2: does not go with --duration;"],
  ["live --duration 61m", 2, "--duration 61m: expected"],
  ["reset --gap 1 --harvest-first 1", 2, "--gap 1 and --harvest-first 1: expected"],
  ["reset --sort --gap 1", 2, "--sort and --gap 1: expected"],
  ["reset --backend model --gap 256", 2, "--gap 256: vCPU 0's ring holds 256 entries;"],
  ["restore", 2, "restore: DIR is missing;"],
  ["restore a b", 2, "unexpected b;"],
  [
    "restore --backend model /nowhere/at/all",
    2,
    "restore /nowhere/at/all: ENOENT (no such file or directory);",
  ],
  ["bench --sweep foo", 2, "--sweep foo: expected"],
  [
    "bench --pattern hot:3",
    2,
    "--pattern hot:3: every page is to be stored to once, whatever the memory;",
  ],
  ["bench --memory 16MiB,x", 2, "--memory 16MiB,x: x: expected"],
  [
    "bench --backend model --sweep cost --memory 4KiB --pages 16",
    2,
    "--pages 16: more different pages than --memory has, or than --pattern random stores to;",
  ],
  ["bench --svg", 2, "--svg: a value is missing;"],
  ["enable --matrix=1", 2, "--matrix=1: --matrix takes no value"],
  [
    "dump --backend model --vcpus 1025 --pages 1025",
    3,
    "--vcpus 1025: this kernel allows 1024 in a VM at most",
  ],
  [
    "dump --backend model --slots 32764 --memory 1GiB",
    3,
    "--slots 32764: this kernel allows 32763 beside slot 0 at most",
  ],
  [
    "dump --backend model --ring 5000",
    3,
    "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 80000): EINVAL (invalid argument)",
  ],
  [
    "dump --backend model --ring 128",
    3,
    "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 2048): EINVAL (invalid argument)",
  ],
  [
    "enable --backend model --ring 131072",
    3,
    "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 2097152): E2BIG (too big)",
  ],
  [
    "run --backend model --model v6.1+pml --ring 512",
    3,
    "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 8192): EINVAL (invalid argument)",
  ],
  [
    "run --backend model --vcpus 5000 --pages 5000",
    3,
    "--vcpus 5000: this kernel allows 1024 in a VM at most",
  ],
  [
    "checkpoint --backend model --slots 40000 --memory 1GiB",
    3,
    "--slots 40000: this kernel allows 32763 beside slot 0 at most",
  ],
  [
    "check --bisect --only reset.cuont",
    129,
    "--only reset.cuont: matches no check; did you mean reset.count?",
  ],
  ["fuzz --bisect x", 129, "fuzz x: expected"],
  ["check --bisect --foo", 129, "unknown option --foo;"],
];

/** What a line says about what to do. */
const ADVICE =
  /expected|did you mean|lists? |shows? all|goes with|does not go|takes? |works with|is a command of its own|this kernel allows|no such file/;

// What is wrong with the outcome of a command line.
function faults(
  { code, stdout, stderr }: Awaited<ReturnType<typeof inProcess>>,
  status: number,
  said: string,
): string[] {
  const found = code === status ? [] : [`status ${code} instead of ${status}`];
  if (stdout !== "") found.push("something on stdout");
  if (!/^dirtyring: [^\n]+\n$/.test(stderr)) found.push("not one line");
  if (/^\s+at /m.test(stderr)) found.push("a stack");
  if (!stderr.startsWith(`dirtyring: ${said}`)) found.push(`says ${stderr}`);
  if (!ADVICE.test(stderr)) found.push("no advice");
  return found;
}

Deno.test("a hundred wrong command lines: one line each, and the documented status", async () => {
  assert(new Set(WRONG.map(([line]) => line)).size >= 100);
  const documented = STATUSES.flatMap(({ numbers }) => numbers);
  const bisected = BISECT_STATUSES.flatMap(([numbers]) => numbers.split(", ").map(Number));
  const home = Deno.cwd();
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/kept`);
    Deno.chdir(folder);
    try {
      for (const [line, status, said] of WRONG) {
        const args = line.split(" ").map((word) => word === "''" ? "" : word);
        assertEquals(faults(await inProcess(args), status, said), [], line);
        assert((args.includes("--bisect") ? bisected : documented).includes(status), line);
      }
      const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
      assertEquals(left, ["kept"]);
    } finally {
      Deno.chdir(home);
    }
  });
});

Deno.test("each kind of fault would be noticed", () => {
  const good = { code: 2, stdout: "", stderr: "dirtyring: --a b: expected c\n" };
  const of = (change: Partial<typeof good>) => faults({ ...good, ...change }, 2, "--a b: ").length;
  assertEquals(of({}), 0);
  assertEquals(of({ code: 3 }), 1);
  assertEquals(of({ stdout: "\n" }), 1);
  assertEquals(of({ stderr: `${good.stderr}more\n` }), 1);
  assertEquals(of({ stderr: good.stderr.trimEnd() }), 1);
  assertEquals(of({ stderr: `${good.stderr}    at x.ts:1\n` }), 2);
  assertEquals(of({ stderr: "dirtyring: --a c: expected c\n" }), 1);
  assertEquals(of({ stderr: "dirtyring: --a b: is wrong\n" }), 1);
});
