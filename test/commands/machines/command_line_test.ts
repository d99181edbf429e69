// `--kernel` on the command line: an error is reported in one line, with the status of README.md,
// before anything boots. And the emulator ends with the command, however that ends.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CheckReport } from "../../../conformance/runner/check_report.ts";
import type { KernelsReport } from "../../../conformance/runner/kernels_report.ts";
import { type CliResult, denoArgs, eachOf } from "../../support/cli.ts";
import { Folder } from "../../support/folder.ts";
import { bzImage, elfFile, moduleFile } from "../../support/vm_files.ts";

const RELEASE = "6.12.1-test";
const QEMU = "qemu-system-x86_64";
const VERSION = 'case $1 in --version) echo "QEMU emulator version 7.2.0 (Debian)"; exit ;; esac';
const FAKE_MACHINE = new URL("../../support/fake_machine.ts", import.meta.url).pathname;
const IMPORT_MAP = new URL("../../../import_map.json", import.meta.url).pathname;

/** Starts a command line with programs of a folder first, or alone, on PATH. */
function start(args: readonly string[], path: string, stdin: "null" | "piped" = "null") {
  return new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    env: { PATH: path },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function resultOf(child: Deno.ChildProcess): Promise<CliResult> {
  const { code, signal, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, signal, stdout: decode(stdout), stderr: decode(stderr) };
}

/** A folder with kernels, and one with what stands for QEMU. */
async function setUp(qemu: string) {
  const folder = await Folder.make();
  const image = await folder.write("bzImage", bzImage(RELEASE));
  await folder.program(`bin/${QEMU}`, `${VERSION}\n${qemu}`);
  return { folder, image, path: `${folder.path}/bin:/usr/bin:/bin` };
}

/**
 * What command lines come to in one process with the launcher's permissions, which prints nothing
 * else.
 */
async function commandLines(
  folder: Folder,
  path: string,
  lines: readonly (readonly string[])[],
): Promise<readonly { readonly status: number; readonly said: string }[]> {
  const modules = ["../../../cli/command_line.ts", "../../../commands/registry.ts"]
    .map((path) => JSON.stringify(new URL(path, import.meta.url).href));
  const script = await folder.write(
    "lines.ts",
    `import { commandLine } from ${modules[0]};
     import { REGISTRY } from ${modules[1]};
     const results = [];
     for (const args of ${JSON.stringify(lines)}) {
       const said = [];
       console.error = (line) => said.push(line);
       const status = await commandLine(args, REGISTRY, { terminal: () => null, announce() {} });
       results.push({ status, said: said.join("\\n") });
     }
     console.log(JSON.stringify(results));`,
  );
  const flags = denoArgs([]).slice(0, -1);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...flags, "--no-lock", "--no-config", "--import-map", IMPORT_MAP, script],
    env: { PATH: path },
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("a wrong command line is told in one line, with the status that README.md names", async () => {
  const { folder, image, path } = await setUp("exit 9");
  await using _ = folder;
  const at = folder.path;
  await Deno.mkdir(`${at}/empty`);
  await folder.write("text", "text");
  await folder.write("other", elfFile({ machine: 183 }));
  await folder.write("tree/Kbuild");
  await folder.write("modules/kernel/arch/x86/kvm/kvm-amd.ko", moduleFile(RELEASE, "kvm"));
  await folder.program(`old/${QEMU}`, 'echo "QEMU emulator version 7.1.9"');
  await folder.program(`odd/${QEMU}`, "echo hello");
  const broken = await folder.program(`broken/${QEMU}`, "");
  await Deno.writeTextFile(broken, "#!/nowhere/sh\n");

  type Case = readonly [args: string[], code: number, says: string];
  const dump = ["dump", "--kernel", image];
  const bisect = ["check", "--bisect", "--kernel"];
  const cases: readonly (readonly [path: string, ...Case[]])[] = [
    [
      path,
      [["dump", "--kernel", `${at}/nowhere`], 2, `--kernel ${at}/nowhere: no such file or folder`],
      [["dump", "--kernel", `${at}/text`], 2, "no kernel image; expected arch/x86/boot/bzImage"],
      [["dump", "--kernel", `${at}/other`], 2, "is a program or a kernel for arm64"],
      [["dump", "--kernel", `${at}/tree`], 2, "build it with `make bzImage`"],
      [[...dump, "--modules", `${at}/modules`], 2, "kvm_amd depends on kvm, which is missing"],
      [[...dump, "--modules", `${at}/none`], 2, `--modules ${at}/none: no such folder`],
      [[...dump, "--vm-memory", "64MiB"], 2, "--vm-memory 64MiB: too little"],
      [[...dump, "--pattern", `file:${at}/none`], 2, "ENOENT"],
      [[...dump, "--kernel", image], 2, "--kernel: dump runs on one"],
      [["dump", "--vm-cpus", "3"], 2, "--vm-cpus: goes with --kernel"],
      [["--kernel", image, "dump"], 2, "--kernel: the command comes first"],
      [["check", "--list", "--kernel", image], 2, "--list: does not go with --kernel"],
      [[...bisect, `${at}/nowhere`], 125, "no such file or folder"],
      [[...bisect, `${at}/tree`], 125, "make bzImage"],
      [[...bisect, image, "--kernel", image], 129, "--bisect: takes one --kernel"],
      [[...bisect, image, "--vm-memory", "64MiB"], 129, "too little"],
    ],
    [
      `${at}/empty`,
      [dump, 4, `--kernel: no ${QEMU} on PATH; install it (Debian: `],
      [[...bisect, image], 125, `no ${QEMU} on PATH`],
    ],
    [`${at}/old`, [dump, 4, `${at}/old/${QEMU}: is version 7.1; expected 7.2 or newer`]],
    [`${at}/odd`, [dump, 4, '--version says "hello\\n"; install it']],
    [`${at}/broken`, [dump, 4, `${broken}: ENOENT (no such file or directory); install it`]],
  ];
  for (const [path, ...lines] of cases) {
    const results = await commandLines(folder, path, lines.map(([args]) => args));
    for (const [n, [args, code, says]] of lines.entries()) {
      const { status, said } = results[n]!;
      const line = `${args.join(" ")}: ${said}`;
      assertMatch(said, /^dirtyring: [^\n]+$/, line);
      assertStringIncludes(said, says, line);
      assertEquals(status, code, line);
      // A model is no answer to who asks for a kernel.
      assert(!said.includes("--backend model"), line);
    }
  }
});

/** Waits for what becomes true; a test that waits in vain is ended by who runs it. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whether a process is there, and no corpse of one. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => null);
  return stat !== null && !/\) [ZX] /.test(stat);
}

// Tells its process id, and does no more.
const SLEEPS = 'echo $$ > "${0%/*}/pid.part"; mv "${0%/*}/pid.part" "${0%/*}/pid"; exec sleep 1000';

/** The process id of what stands for QEMU, when it has been started. */
async function pidIn(folder: Folder): Promise<number> {
  let text: string | null = null;
  await until(async () => {
    text = await Deno.readTextFile(`${folder.path}/bin/pid`).catch(() => null);
    return text !== null;
  });
  return Number(text);
}

Deno.test("a signal while a kernel boots ends the command, and its machine with it", async () => {
  const cases: readonly (readonly [Deno.Signal, number])[] = [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGKILL", 137],
  ];
  await eachOf(cases, async ([signal, code]) => {
    const { folder, image, path } = await setUp(SLEEPS);
    await using _ = folder;
    const child = start(["dump", "--kernel", image], path);
    const result = resultOf(child);
    const pid = await pidIn(folder);
    assert(await isAlive(pid), "the machine is there before the signal");
    child.kill(signal);
    const { code: ended, stdout, stderr } = await result;
    assertEquals([ended, stdout, stderr], [code, "", ""], signal);
    if (signal === "SIGKILL") await until(async () => !await isAlive(pid));
    assert(!await isAlive(pid), `${signal}: the machine is gone`);
  });
});

const COMPLAINT =
  /^dirtyring: QEMU 7\.2\.0, in software: -accel tcg: no such thing; see --vm-memory[^\n]+\n$/;
const PANIC = new RegExp(
  "^dirtyring: \\S+: the kernel panicked: No init found\\., while it booted\n" +
    "the last lines of its console:\n {2}\\[ {4}1\\.0\\] Kernel panic - not syncing: No init found\\.\n$",
);

Deno.test("a machine that fails is told: what QEMU said, or the kernel's last words", async () => {
  const cases: readonly (readonly [qemu: string, args: string[], code: number, stderr: RegExp])[] =
    [
      [`echo "${QEMU}: -accel tcg: no such thing" >&2; exit 1`, [], 4, COMPLAINT],
      ['echo "[    1.0] Kernel panic - not syncing: No init found." >&2', ["--bisect"], 125, PANIC],
    ];
  await eachOf(cases, async ([qemu, args, code, stderr]) => {
    const { folder, image, path } = await setUp(qemu);
    await using _ = folder;
    const result = await resultOf(start(["check", "--kernel", image, ...args], path));
    assertMatch(result.stderr, stderr, qemu);
    assertEquals([result.code, result.stdout], [code, ""], qemu);
  });
});

const PLAYS = [
  ...["exec", Deno.execPath(), "run", "--quiet", "--allow-all", "--no-config", "--no-lock"],
  ...["--import-map", IMPORT_MAP, FAKE_MACHINE, '"$@"'],
].join(" ");

Deno.test("a command in a machine is as one that runs here: its streams, its files, its status", async () => {
  const { folder, image, path } = await setUp(PLAYS);
  await using _ = folder;
  const output = `${folder.path}/a result.json`;
  await folder.write("a pattern", "3\n1\n2\n");
  const [dumped, checked, counted] = await Promise.all([
    resultOf(
      start(
        [
          ...["dump", "--kernel", image, "--format", "csv"],
          ...["--pages", "3", "--pattern", `file:${folder.path}/a pattern`],
        ],
        path,
      ),
    ),
    resultOf(
      start(
        [
          ...["check", "--kernel", image, "--only", "cap.*,limit.pml-minimum"],
          ...["--format", "json", "--output", output],
        ],
        path,
      ),
    ),
    (async () => {
      const child = start(["stats", "--kernel", image, "--pattern", "file:-"], path, "piped");
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("0\nx\n"));
      await writer.close();
      return await resultOf(child);
    })(),
  ]);
  assertEquals([dumped.code, dumped.stderr], [0, ""]);
  // The pages in the order of the pattern, which the machine was given.
  const offsets = dumped.stdout.trim().split("\n").slice(1).map((line) => line.split(",")[6]);
  assertEquals(offsets, ["3", "1", "2"]);
  assertEquals([counted.code, counted.stdout], [2, ""]);
  assertMatch(counted.stderr, /^dirtyring: [^\n]*standard input[^\n]*\n$/);
  assertEquals([checked.code, checked.stdout, checked.stderr], [0, "", ""]);
  const report: CheckReport = JSON.parse(await Deno.readTextFile(output));
  assertEquals([report.schema, report.kernel.backend, report.complete], [
    ...["dirtyring.check/1", "model", true],
  ]);
  assertEquals(report.checks.at(-1)!.id, "limit.pml-minimum");
});

Deno.test("a kernel that panics beside another leaves that its answer", async () => {
  const panic = 'echo "[    1.0] Kernel panic - not syncing: x" >&2; exit 0';
  const { folder, image, path } = await setUp(`case $* in */bad*) ${panic} ;; esac\n${PLAYS}`);
  await using _ = folder;
  const bad = await folder.write("bad", bzImage("6.13.0"));
  const kernels = ["--kernel", bad, "--kernel", image];
  const args = ["check", ...kernels, "--only", "cap.*", "--format", "json"];
  const { code, stdout, stderr } = await resultOf(start(args, path));
  assertEquals([code, stderr], [125, ""]);
  const report: KernelsReport = JSON.parse(stdout);
  assertEquals(
    report.kernels.map(({ kernel, status, report, problem }) => [
      ...[kernel, status, report?.complete, problem],
    ]),
    [
      [bad, 125, undefined, `${bad}: the kernel panicked: x, while it booted`],
      [image, 0, true, null],
    ],
  );
  assertEquals(report.kernels[0]!.console, ["[    1.0] Kernel panic - not syncing: x"]);
});
