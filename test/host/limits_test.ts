// A process that runs out of file descriptors, threads, memory or disk space. Each gives status 3
// and a line that names the limit. No measurement is lost, and no incomplete file is left.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { runCheck } from "../../conformance/runner/run_check.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import { ERRNO, HostError, KernelError } from "../../ffi/errors.ts";
import { KVM_CREATE_VM } from "../../ffi/kvm_ioctls.ts";
import { resourceLimit } from "../../ffi/process.ts";
import { fileShortage, UsageError } from "../../host/errors.ts";
import { denoShortage, exhaustion, threadFailure } from "../../host/exhaustion.ts";
import { model } from "../support/checkpoints.ts";
import { eachOf, shell } from "../support/cli.ts";
import { elsewhere, NO_NAMESPACE } from "../support/elsewhere.ts";
import { Folder, inFolder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";

// Bound here once, since a test may leave no library loaded.
resourceLimit("RLIMIT_NOFILE");

const ROOT = new URL("../..", import.meta.url);
const MODEL = "--backend model";
const CHECK = `check ${MODEL} --only 'enable.*'`;
const BENCH = `bench ${MODEL} --sweep cost --memory 16MiB --pages 16 --repetitions 1`;
const CHECKPOINT = `checkpoint ${MODEL} --epochs 3 --interval 5ms`;
const LIMIT = /^dirtyring: [^\n]*\(ulimit -n\)[^\n]*\n$/;

// From where a shell starts a program at all, over those with which Deno panics, to where all
// works.
const DESCRIPTORS = [16, 20, 22, 23, 24, 25, 26, 28, 30, 31, 64];

for (const command of [`live ${MODEL} --stores 2000`, CHECK, BENCH]) {
  Deno.test(`however few file descriptors there are, ${command} is status 3 or works`, async () => {
    const statuses = new Map<number, number>();
    await eachOf(DESCRIPTORS, async (count) => {
      const { code, stderr } = await shell(`ulimit -n ${count}; dirtyring ${command}`);
      statuses.set(count, code);
      if (code === 3) assertMatch(stderr, LIMIT, `${count} descriptors`);
      else assertEquals([code, stderr], [0, ""], `${count} descriptors`);
    });
    assertEquals([statuses.get(16), statuses.get(20), statuses.get(64)], [3, 3, 0]);
  });
}

Deno.test("with --bisect too few file descriptors make git take another commit", async () => {
  for (const count of [16, 20]) {
    const { code, stdout } = await shell(`ulimit -n ${count}; dirtyring ${CHECK} --bisect`);
    assertEquals([code, stdout], [125, ""], `${count} descriptors`);
  }
});

Deno.test("too little memory to start with is status 3, and names the limit", async () => {
  const { code, stderr } = await shell(`ulimit -v 8000000; dirtyring dump ${MODEL}`);
  assertEquals(code, 3);
  assertMatch(stderr, /^dirtyring: Deno cannot start within [^\n]* 8192000000 [^\n]*\n$/);
});

Deno.test("threads are not started where Deno would panic for want of file descriptors", async () => {
  const module = new URL("host/exhaustion.ts", ROOT);
  const code = `import { needThreads } from "${module}"; try { needThreads(1, "one"); ` +
    `needThreads(20, "them"); } catch (error) { console.log(error.message); }`;
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(program, code);
    const { stdout } = await shell(
      `ulimit -n 64; exec '${Deno.execPath()}' run --quiet --no-config --allow-read --allow-ffi ${program}`,
    );
    assertEquals(
      stdout,
      "140 file descriptors for them: EMFILE (too many open files); 64 file descriptors are this " +
        "process's limit (ulimit -n): raise it\n",
    );
  } finally {
    await Deno.remove(program);
  }
});

Deno.test("a module that finds no file descriptor when it is needed is told, and which", async () => {
  const late = new URL("text/terminal_text.ts", ROOT);
  const code = `import { exhaustion } from "${new URL("host/exhaustion.ts", ROOT)}"; ` +
    `import { resourceLimit } from "${new URL("ffi/process.ts", ROOT)}"; ` +
    `resourceLimit("RLIMIT_NOFILE"); const files = []; ` +
    `try { for (;;) files.push(Deno.openSync(import.meta.filename)); } catch { /* no more */ } ` +
    `try { await import("${late}"); } catch (error) { console.log(exhaustion(error)?.message); }`;
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(program, code);
    const flags = "--quiet --no-config --unstable-lazy-dynamic-imports --allow-read --allow-ffi";
    const { stdout } = await shell(
      `ulimit -n 64; exec '${Deno.execPath()}' run ${flags} ${program}`,
    );
    assertEquals(
      stdout,
      `import(${late.pathname}): EMFILE (too many open files); 64 file descriptors are this ` +
        "process's limit (ulimit -n): raise it\n",
    );
  } finally {
    await Deno.remove(program);
  }
});

Deno.test("exhaustion() knows what Deno says, and what was asked", () => {
  const texts: readonly (readonly [string, string])[] = [
    [
      "Failed to spawn '/bin/deno': Too many open files (os error 24)",
      "spawn(/bin/deno): EMFILE (",
    ],
    ["Failed to spawn 'x': Resource temporarily unavailable (os error 11)", "spawn(x): EAGAIN ("],
    ["Failed to spawn 'x': Cannot allocate memory (os error 12)", "spawn(x): ENOMEM ("],
    [
      "Import 'file:///a/b.ts' failed.\n    0: Too many open files (os error 24)",
      "import(/a/b.ts): EMFILE (",
    ],
    ["Too many open files (os error 24): open '/a/b'", "open(/a/b): EMFILE ("],
    ["Too many open files in system (os error 23)", "a call of the system: ENFILE ("],
  ];
  for (const [text, said] of texts) {
    const found = exhaustion(new Error(text));
    assert(found !== null && found.message.startsWith(said), `${found}`);
    assertMatch(found.message, /; [^\n]*(ulimit -[nu]|sysctl|ask for less)[^\n]*$/);
  }
  const bare = new KernelError("KVM_CREATE_VCPU(7)", -ERRNO.EMFILE);
  assertMatch(exhaustion(bare)!.message, /^KVM_CREATE_VCPU\(7\): EMFILE .*ulimit -n/);
});

Deno.test("exhaustion() takes nothing else for it, and no text that is quoted", () => {
  const quoted = "a file called (os error 24)";
  for (
    const error of [
      new Error("Resource temporarily unavailable (os error 11)"),
      new Error("No such file or directory (os error 2): open 'x'"),
      new UsageError(quoted),
      new HostError(quoted, "advice"),
      new KernelError("KVM_RUN", -ERRNO.EAGAIN),
      new KernelError("KVM_RUN", -ERRNO.EFAULT),
      new KernelError("mmap()", -ERRNO.ENOMEM, { advice: "its own" }),
      "no error",
    ]
  ) assertEquals(exhaustion(error), null);
});

Deno.test("what a thread, or a process, could not start for is told", () => {
  const error = new Error("Resource temporarily unavailable (os error 11)");
  assertMatch(`${threadFailure(error, "it")}`, /clone\(\), a thread for it: EAGAIN .*ulimit -u/);
  const other = new Error("another");
  assertEquals(threadFailure(other, "it"), other);
  const words = "\n====\nDeno could not start: unable to create worker threads.\n";
  assertMatch(denoShortage("it", words)!.message, /^it: EAGAIN .*ulimit -u/);
  const panic = 'Os { code: 24, kind: Uncategorized, message: "Too many open files" }';
  assertMatch(denoShortage("it", panic)!.message, /^it: EMFILE .*ulimit -n/);
  assertMatch(denoShortage("it", "# Fatal process out of memory: x")!.message, /^it: ENOMEM /);
  assertEquals(denoShortage("it", "error: Uncaught TypeError"), null);
});

Deno.test("fileShortage() blames no file for a full disk", () => {
  const full = new Error("No space left on device (os error 28): writefile 'x'");
  assertEquals(fileShortage("x", full)?.message, "x: ENOSPC (no space left)");
  assertEquals(fileShortage("x", new Error("Is a directory (os error 21)")), null);
  const open = new KernelError("open(x)", -ERRNO.EMFILE);
  assertEquals(fileShortage("y", open), open);
  assertEquals(fileShortage("y", new KernelError("read(x)", -ERRNO.EFBIG)), null);
});

Deno.test("a check that finds no file descriptor left has not failed", async () => {
  const kernel = model();
  const check = ALL_CHECKS.find(({ id }) => id === "enable.bytes")!;
  for (const [errno, name] of [[ERRNO.EMFILE, "EMFILE"], [ERRNO.ENFILE, "ENFILE"]] as const) {
    const ioctl = (...call: Parameters<typeof kernel.ioctl>) =>
      call[1] === KVM_CREATE_VM ? -errno : kernel.ioctl(...call);
    await assertRejects(
      () => runCheck(check, { ...kernel, ioctl }, { allowWarn: false, allowHarm: false }),
      KernelError,
      `: ${name} (`,
    );
  }
});

const RESULTS = [[CHECK, "13 passed"], [BENCH, "ring / bitmap"]] as const;

testUnless(NO_NAMESPACE, "a disk that is full at the end does not lose the result", async () => {
  for (const [command, result] of RESULTS) {
    await inFolder(async (folder) => {
      const { code, stdout, stderr } = await elsewhere(
        `mount -t tmpfs -o size=16k none ${folder}`,
        `{ echo old >${folder}/result; head -c 99999 /dev/zero >${folder}/fill 2>${folder}/fill; ` +
          `dirtyring ${command.replaceAll("'", '"')} --output ${folder}/result; code=$?; ` +
          `ls ${folder}; cat ${folder}/result; exit $code; }`,
      );
      assertEquals(code, 3, stderr);
      assertEquals(
        stderr.replace(/^head: .*\n/, ""),
        `dirtyring: --output ${folder}/result: ENOSPC (no space left); the result is on standard output instead\n`,
      );
      assertStringIncludes(stdout, result);
      assert(stdout.endsWith("\nfill\nresult\nold\n"), stdout.slice(-200));
    });
  }
});

Deno.test("a file that may not grow is as a full disk, and nothing of it is left", async () => {
  for (const [command, result] of RESULTS) {
    await inFolder(async (folder) => {
      const { code, stdout, stderr } = await shell(
        `ulimit -f 0; dirtyring ${command} --output result`,
        folder,
      );
      assertEquals([code, stderr], [
        3,
        "dirtyring: --output result: EFBIG (file too large); the result is on standard output instead\n",
      ]);
      assertStringIncludes(stdout, result);
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  }
});

Deno.test("where neither the disk nor standard output has room, both are said", async () => {
  await inFolder(async (folder) => {
    const line = `ulimit -f 0; dirtyring ${CHECK} --output result >/dev/full`;
    const { code, stderr } = await shell(line, folder);
    assertEquals(code, 3);
    assertMatch(stderr, /^dirtyring: --output [^\n]+\ndirtyring: standard output: [^\n]+\n$/);
  });
});

// A program that is held to small files once it runs: Deno itself writes some when it starts.
async function written(first: string, permissions: readonly string[]): Promise<Deno.CommandOutput> {
  const module = new URL("host/exhaustion.ts", ROOT);
  const program = `import { surviveFileLimit } from "${module}"; ${first}; ` +
    `if (Deno.args[1] === "limited") await new Deno.Command("prlimit", { args: ["--fsize=1000", "--pid", String(Deno.pid)] }).output(); ` +
    `try { Deno.writeFileSync(Deno.args[0], new Uint8Array(3000)); } catch (error) { console.log(error.message); }`;
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.writeTextFile(`${folder}/program.ts`, program);
  const run = (limit: string) =>
    // Another test of this process may have it ignored, and children inherit that.
    new Deno.Command("env", {
      args: [
        ...["--default-signal=XFSZ", Deno.execPath(), "run", "--quiet", "--no-prompt"],
        ...["--no-config", "--no-code-cache", "--allow-read"],
        ...["--allow-write", "--allow-run", ...permissions],
        ...[`${folder}/program.ts`, `${folder}/file`, limit],
      ],
      env: { DENO_DIR: `${folder}/deno` },
    }).output();
  // Deno's own cache is a file that grows, too: it is written before there is a limit.
  await run("free");
  return await run("limited");
}

const NO_PRLIMIT = await new Deno.Command("prlimit", { args: ["--version"] }).output()
  .then(({ success }) => success ? null : "no prlimit", () => "no prlimit");

testUnless(NO_PRLIMIT, "SIGXFSZ is survived with libc and without", async () => {
  for (const permissions of [["--allow-ffi"], []]) {
    // What it says behind the write counts. At its very end Deno may write its own cache, with
    // nobody left who listens.
    const { stdout } = await written("surviveFileLimit()", permissions);
    assertStringIncludes(new TextDecoder().decode(stdout), "File too large (os error 27)");
  }
  const { stdout, signal } = await written("void surviveFileLimit", []);
  assertEquals([stdout.length, signal], [0, "SIGXFSZ"]);
});

Deno.test("standard output on a full disk is one line and status 3, whatever the command", async () => {
  const commands = [
    ...[`probe ${MODEL}`, `enable ${MODEL}`, `dump ${MODEL}`, `reset ${MODEL}`, `stats ${MODEL}`],
    ...[`run ${MODEL}`, CHECK, BENCH, CHECKPOINT],
    ...["text", "json", "ndjson"].map((format) => `live ${MODEL} --stores 9000 --format ${format}`),
    `${CHECKPOINT} --format ndjson`,
    `${CHECK} --format ktap`,
  ];
  await eachOf(commands, async (command) => {
    const { code, stderr } = await shell(`dirtyring ${command} >/dev/full`);
    assertEquals(code, 3, command);
    assertMatch(stderr, /^dirtyring: standard output: No space left[^\n]+\n$/, command);
  });
});

Deno.test("checkpoints are kept though nobody can be told of them", async () => {
  await inFolder(async (folder) => {
    const keep = `dirtyring ${CHECKPOINT} --format ndjson --into kept >/dev/full`;
    assertEquals((await shell(keep, folder)).code, 3);
    const { code, stdout } = await shell(`dirtyring restore ${MODEL} kept`, folder);
    assertEquals(code, 0);
    assertMatch(stdout, /\nok: epoch \d restored/);
  });
});

Deno.test("a checkpoint that may not grow ends the run in order, and leaves none behind", async () => {
  await inFolder(async (folder) => {
    const { code, stdout, stderr } = await shell(
      `ulimit -f 1; dirtyring ${CHECKPOINT} --into kept`,
      folder,
    );
    assertEquals(code, 3);
    assertMatch(
      stderr,
      /^dirtyring: write\(\S+\): EFBIG \(file too large\); there is no whole checkpoint\n$/,
    );
    assertStringIncludes(stdout, "ended early: write(");
    assertEquals([...Deno.readDirSync(`${folder}/kept`)], []);
  });
});
