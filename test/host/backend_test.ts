// Which kernel a command uses: the real one, the model in memory, or the first that is usable.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { COMMAND_NAMES, loadCommand } from "../../commands/registry.ts";
import {
  type BackendSelection,
  type ModelChoice,
  openKernel,
  parseModel,
} from "../../host/backend.ts";
import { UsageError } from "../../host/errors.ts";
import { kernelFacts, kvmModule, pageModificationLogging } from "../../host/facts.ts";
import { kernelLine } from "../../report/notes.ts";
import { type CliResult, dirtyring, eachOf } from "../support/cli.ts";
import { elsewhere, NO_NAMESPACE } from "../support/elsewhere.ts";
import { Folder } from "../support/folder.ts";
import { liveTest, testUnless } from "../support/live.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const NOTE =
  /^dirtyring: \/dev\/kvm is not usable here \(.+\); running on the model of Linux v6\.\d+ instead\n$/;

/** What makes a command's result small, where its default is not. */
const SMALL: Readonly<Record<string, readonly string[]>> = {
  check: ["--only", "reset.number"],
  live: ["--stores", "2000"],
  bench: ["--sweep", "cost", "--memory", "1MiB", "--pages", "16", "--repetitions", "1"],
};

/** Runs `dirtyring` as a person without the permission for FFI does. */
async function withoutFfi(
  args: readonly string[],
  { readable = [], input = "" }: { readable?: readonly string[]; input?: string } = {},
): Promise<CliResult> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "--quiet",
        "--no-prompt",
        "--allow-run",
        `--allow-read=${[ROOT, ...readable].join()}`,
      ],
      ...[`${ROOT}main.ts`, ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {}); // the command may not read it at all
  const { code, signal, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, signal, stdout: text(stdout), stderr: text(stderr) };
}

const select = (backend: BackendSelection["backend"], model?: string): BackendSelection => ({
  backend,
  model: model === undefined ? undefined : parseModel(model),
});

async function openModel(text?: string) {
  const notes: string[] = [];
  const kernel = await openKernel(select("model", text), null, (note) => notes.push(note));
  assertEquals(notes, []);
  return kernel;
}

Deno.test("parseModel() reads a version and its traits, in any order", () => {
  const choice = (text: string, changes: Partial<ModelChoice>): void =>
    assertEquals(parseModel(text), {
      version: "v6.1",
      pml: false,
      emulator: false,
      text,
      ...changes,
    });
  choice("v6.1", {});
  choice("latest", { version: "latest" });
  choice("v5.11+pml", { version: "v5.11", pml: true });
  choice("v6.10+emulator", { version: "v6.10", emulator: true });
  choice("v6.17+emulator+pml", { version: "v6.17", pml: true, emulator: true });
});

Deno.test("parseModel() says what it expected", () => {
  const wrong = ["", "v6", "6.1", "v6.2", "pml", "v6.1+", "v6.1+PML", "v6.1+pml+pml", "+pml"];
  for (const text of [...wrong, "v6.1+toString", "latest+emulator+pml+x"]) {
    assertThrows(
      () => parseModel(text),
      SyntaxError,
      "expected v5.11, v6.1, v6.10, v6.12, v6.14, v6.17 or latest, then +pml, +emulator or both",
      text,
    );
  }
});

Deno.test("every command takes --backend and --model, and a wrong one is one line, status 2", async () => {
  // A fuzzed kernel is always a real one, and a model of its version beside it; what compares
  // results asks none.
  const { options } = await loadCommand("fuzz");
  assertEquals([options["backend"], options["model"]?.fallback], [undefined, undefined]);
  for (const name of COMMAND_NAMES.filter((one) => !["fuzz", "compare"].includes(one))) {
    const { options } = await loadCommand(name);
    assertEquals([options["backend"]?.fallback, options["model"]?.fallbackText], ["kvm", "latest"]);
  }
  const refuses = async (args: readonly string[], message: string) => {
    const { code, stdout, stderr } = await dirtyring(args);
    assertEquals([code, stdout, stderr], [2, "", `dirtyring: ${message}\n`], args.join(" "));
  };
  await refuses(["dump", "--backend", "xen"], "--backend xen: expected kvm, model or auto");
  await refuses(
    ["enable", "--backend", "model", "--model", "v6.2"],
    "--model v6.2: expected v5.11, v6.1, v6.10, v6.12, v6.14, v6.17 or latest, then +pml, +emulator or both",
  );
  for (const command of ["probe", "enable", "dump", "run"]) {
    await refuses(
      [command, "--model", "v6.1"],
      "--model v6.1: works with --backend model or auto, not with kvm",
    );
  }
});

Deno.test("openKernel() refuses a model beside the real kernel before it reaches for either", async () => {
  await assertRejects(
    () => openKernel(select("kvm", "v6.1+pml"), null, () => {}),
    UsageError,
    "model v6.1+pml: works with backend model",
  );
});

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/**
 * What Deno loads before a file's first line runs, types aside: `import()` is no part of it, unless
 * asked for.
 */
async function loadedBy(file: string, withLate = false): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `--lock=${ROOT}deno.lock`, `${ROOT}${file}`],
  }).output();
  const graph: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const loaded = new Set(graph.roots);
  // A set that grows while it is walked hands out what was added too.
  for (const one of loaded) {
    const found = graph.modules.find(({ specifier }) => specifier === one);
    for (const { code, isDynamic } of found?.dependencies ?? []) {
      if (code && (withLate || isDynamic !== true)) loaded.add(code.specifier);
    }
  }
  return [...loaded].map((url) => url.replace(`file://${ROOT}`, ""));
}

Deno.test("a run on the real kernel loads neither the model nor what else it may not need", async () => {
  const starts = ["main.ts", "commands/dump/command.ts", "host/backend.ts"];
  const loaded = (await Promise.all(starts.map((path) => loadedBy(path)))).flat();
  assert(loaded.includes("host/backend.ts"));
  const late = /^(model|conformance|vm)\/|^(machine\/pattern_file|ffi\/trace)\.ts$/;
  assertEquals(loaded.filter((path) => late.test(path)), []);
  const all = await loadedBy("main.ts", true);
  for (const path of ["model/model_kernel.ts", "machine/pattern_file.ts", "ffi/trace.ts"]) {
    assert(all.includes(path), path);
  }
});

Deno.test("the model names its version, its traits and no module", async () => {
  for (
    const [text, facts, line] of [
      ["v5.11", { model: "v5.11" }, "Linux v5.11, in memory"],
      ["v6.1+pml", { model: "v6.1+pml" }, "Linux v6.1, in memory, with PML"],
      ["v6.10+emulator", { model: "v6.10+emulator" }, "Linux v6.10, in memory, real mode emulated"],
      [
        "v6.17+emulator+pml",
        { model: "v6.17+pml+emulator" },
        "Linux v6.17, in memory, with PML, real mode emulated",
      ],
    ] as const
  ) {
    const kernel = await openModel(text);
    const found = kernelFacts(kernel, 1 << 20);
    const { release, ...rest } = found;
    assertEquals(rest, { backend: "model", module: null, ringMaxBytes: 1 << 20, ...facts });
    assert(`v${release}`.startsWith(`${text.split("+")[0]}.`), release);
    assertEquals(kernelLine(found), `kernel  model of ${line}`);
    assertEquals(kvmModule(kernel), null);
    assertEquals(pageModificationLogging(kernel, null), text.includes("pml"));
  }
});

Deno.test("the model of no version in particular is the latest, and is traced like any kernel", async () => {
  const latest = kernelFacts(await openModel(), null);
  assertMatch(`${latest.model}`, /^v6\.\d+$/);
  assertEquals(latest, kernelFacts(await openModel("latest"), null));
  const lines: string[] = [];
  const kernel = await openKernel(select("model"), (line) => lines.push(line), () => {});
  kernel.close(kernel.open("/dev/kvm", 2));
  assertEquals(kernel.backend, "model");
  assertEquals(lines.map((line) => line.replace(/\(.*/, "")), ["open", "close"]);
});

Deno.test("every command works on the model without FFI, and says which it was", async () => {
  // What restore needs checkpoint makes: test/launcher/permissions_test.ts.
  const names = COMMAND_NAMES.filter((one) => !["fuzz", "restore", "compare"].includes(one));
  await eachOf(names, async (name) => {
    const args = [name, ...SMALL[name] ?? [], "--backend", "model", "--model", "v6.10+pml"];
    const { code, stdout, stderr } = await withoutFfi([...args, "--format", "json"]);
    assertEquals([code, stderr], [0, ""], name);
    const { schema, kernel } = JSON.parse(stdout);
    assertEquals(schema, `dirtyring.${name}/1`);
    assertEquals(kernel, {
      backend: "model",
      model: "v6.10+pml",
      release: kernel.release,
      module: null,
      ringMaxBytes: 1 << 20,
    });
    assertMatch(kernel.release, /^6\.10\./);
    const text = await withoutFfi(args);
    assertEquals([text.code, text.stderr], [0, ""], name);
    assertStringIncludes(text.stdout, "model of Linux v6.10, in memory, with PML\n", name);
  });
});

Deno.test("probe finds the model usable, with what its processor has", async () => {
  for (
    const [model, pml, minEntries] of [["v6.1", false, 256], ["v6.1+pml", true, 1024]] as const
  ) {
    const args = ["probe", "--backend", "model", "--model", model, "--format", "json"];
    const result = JSON.parse((await withoutFfi(args)).stdout);
    assertEquals([result.usable, result.problems], [true, []]);
    assertEquals([result.pml, result.ring.minEntries], [pml, minEntries]);
  }
});

Deno.test("the rule of the calls follows the model's version", async () => {
  for (
    const [model, rule] of [["v6.1", "v5.11"], ["v6.10", "v6.10"], ["latest", "v6.17"]] as const
  ) {
    const args = ["stats", "--backend", "model", "--model", model, "--format", "json"];
    assertEquals(JSON.parse((await withoutFfi(args)).stdout).rule, rule);
  }
});

Deno.test("a pattern file is this host's on the model too, read without FFI", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const args = (file: string) => [
    ...["dump", "--backend", "model", "--format", "csv", "--pattern", `file:${file}`],
  ];
  const offsets = ({ stdout }: CliResult) =>
    stdout.trim().split("\n").slice(1).map((line) => Number(line.split(",")[6]));
  await Deno.writeTextFile(`${folder}/pages`, "7\n0x10\n3\n");
  const readable = [folder, "/no"];
  for (const run of [withoutFfi, dirtyring]) {
    const byFile = run === dirtyring
      ? await dirtyring(args(`${folder}/pages`))
      : await withoutFfi(args(`${folder}/pages`), { readable });
    assertEquals([byFile.code, byFile.stderr, ...offsets(byFile)], [0, "", 7, 16, 3]);
  }
  const piped = await withoutFfi(args("-"), { input: "5\n4\n" });
  assertEquals([piped.code, piped.stderr, ...offsets(piped)], [0, "", 5, 4]);
  // The same line, whoever reads.
  for (const [file, errno] of [["/no/such", "ENOENT"], [folder, "EISDIR"]] as const) {
    const byDeno = await withoutFfi(args(file), { readable });
    const byLibc = await dirtyring(args(file));
    assertEquals([byDeno.code, byDeno.stdout], [2, ""]);
    assertMatch(byDeno.stderr, /^dirtyring: --pattern file:[^\n]+\n$/);
    assertStringIncludes(byDeno.stderr, errno);
    assertEquals(byDeno, byLibc);
  }
  const denied = await withoutFfi(args(`${folder}/pages`));
  assertEquals([denied.code, denied.stdout], [4, ""]);
  assertMatch(denied.stderr, /^dirtyring: [^\n]*no permission[^\n]*file:- < FILE[^\n]*\n$/);
  // Where Deno opens nothing of /dev even with that permission, standard input is as compare has it.
  await Deno.writeTextFile(`${folder}/a.json`, "{}");
  const device = await withoutFfi(["compare", "/dev/kvm", `${folder}/a.json`], {
    readable: [folder, "/dev"],
  });
  assertEquals([device.code, device.stdout], [2, ""]);
  assertMatch(device.stderr, /^dirtyring: \/dev\/kvm: [^\n]+ \(- < \/dev\/kvm\)\n$/);
  const unread = await withoutFfi(["compare", `${folder}/a.json`, `${folder}/a.json`]);
  assertEquals([unread.code, unread.stdout], [4, ""]);
  assertMatch(unread.stderr, /^dirtyring: [^\n]*no permission[^\n]*\(- < FILE\)[^\n]*\n$/);
});

Deno.test("auto takes the model where the real kernel is not usable, and says why", async () => {
  const { code, stdout, stderr } = await withoutFfi(["dump", "--backend", "auto"]);
  assertEquals(code, 0);
  assertMatch(stderr, NOTE);
  assertStringIncludes(stderr, "libc.so.6: Deno has no permission to call it");
  assertStringIncludes(stdout, "kernel  model of Linux v");
});

Deno.test("what the real kernel cannot do here names the model, and no other command line does", async () => {
  const { code, stderr } = await withoutFfi(["dump"]);
  assertEquals(code, 4);
  assertMatch(stderr, /^dirtyring: libc[^\n]*--allow-ffi[^\n]*; or try [^\n]*--backend model\n$/);
  const verbose = await withoutFfi(["dump", "--verbose"]);
  assertMatch(
    verbose.stderr,
    /^dirtyring: HostError: libc[^\n]*; or try [^\n]*--backend model\n {4}at /,
  );
  const wrong = await withoutFfi(["dump", "--vcpus", "0"]);
  assertEquals([wrong.code, wrong.stderr.includes("--backend")], [2, false]);
});

testUnless(NO_NAMESPACE, "without /dev/kvm auto takes the model, kvm names it", async () => {
  const hide = "mount -t tmpfs none /dev";
  const found = await elsewhere(hide, "dirtyring dump --backend auto --model v6.17 --format json");
  assertEquals(found.code, 0, found.stderr);
  assertMatch(found.stderr, NOTE);
  assertStringIncludes(found.stderr, "open(/dev/kvm): ENOENT");
  assertStringIncludes(found.stderr, "Linux v6.17 instead");
  assertEquals(JSON.parse(found.stdout).kernel.model, "v6.17");
  const refused = await elsewhere(hide, "dirtyring dump");
  assertEquals([refused.code, refused.stdout], [4, ""]);
  assertMatch(refused.stderr, /^dirtyring: open\(\/dev\/kvm\): ENOENT [^\n]*--backend model\n$/);
  const probed = await elsewhere(hide, "dirtyring probe");
  assertMatch(probed.stdout, /^usable +no: [^\n]*--backend model/m);
});

testUnless(NO_NAMESPACE, "a device that is no KVM makes auto take the model", async () => {
  // A host without /dev/kvm has no file to mount another over: a whole /dev is made.
  const dev = await Deno.makeTempDir();
  try {
    const noKvm = [
      `mount -t tmpfs none ${dev}`,
      `touch ${dev}/kvm`,
      `mount --bind /dev/null ${dev}/kvm`,
      `mount --rbind ${dev} /dev`,
    ];
    const found = await elsewhere(noKvm.join(" && "), "dirtyring dump --backend auto");
    assertEquals(found.code, 0, found.stderr);
    assertMatch(found.stderr, NOTE);
    assertStringIncludes(found.stderr, "KVM_GET_API_VERSION");
  } finally {
    await Deno.remove(dev);
  }
});

liveTest("auto takes the real kernel where it is usable, without a word", async () => {
  for (const model of [[], ["--model", "v6.1"]]) {
    const args = ["dump", "--backend", "auto", ...model, "--format", "json"];
    const { code, stdout, stderr } = await dirtyring(args);
    assertEquals([code, stderr], [0, ""]);
    const { kernel } = JSON.parse(stdout);
    assertEquals([kernel.backend, kernel.model], ["kvm", null]);
  }
});
