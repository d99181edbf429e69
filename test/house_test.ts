// The rules of the house that a reader relies on: imports go down only, one folder names the unsafe
// classes, one file loads libc, one file picks a kernel, and only a program prints and exits.
import { assert, assertEquals } from "@std/assert";
import {
  codeOf,
  computesImports,
  type Edge,
  type EdgeKind,
  edgesOf,
  reached,
  resolved,
  type Source,
} from "./support/imports.ts";
import { project } from "./support/package.ts";

const ROOT = new URL("..", import.meta.url);
const FOLDERS = [
  ...[
    "text",
    "ffi",
    "kvm",
    "model",
    "guest",
    "ring",
    "machine",
    "drive",
    "lab",
    "live",
    "checkpoint",
    "sweeps",
    "checks",
    "report",
    "vm",
    "cli",
  ],
  "commands",
];
/** The programs: each prints for itself. */
const PROGRAMS = ["check_child.ts", "main.ts", "vm_command.ts", "vm_init.ts", "vm_start.ts"];

// What a folder may import, itself and `text` aside. `types` may be imported as types alone.
const RULES: Readonly<Record<string, { values: readonly string[]; types: readonly string[] }>> = {
  text: { values: [], types: [] },
  ffi: { values: [], types: [] },
  ring: { values: [], types: [] },
  kvm: { values: ["ffi"], types: [] },
  model: { values: ["ffi"], types: [] },
  guest: { values: ["ffi"], types: [] },
  machine: { values: ["kvm", "ffi", "ring"], types: [] },
  drive: { values: ["machine", "kvm", "ffi", "ring"], types: [] },
  lab: { values: ["drive", "machine", "kvm", "guest", "ffi", "ring"], types: [] },
  live: { values: ["lab", "drive", "machine", "kvm", "guest", "ffi", "ring"], types: [] },
  checkpoint: {
    values: ["live", "lab", "drive", "machine", "kvm", "guest", "ffi", "ring"],
    types: [],
  },
  sweeps: {
    values: ["live", "lab", "drive", "machine", "kvm", "guest", "ffi", "ring"],
    types: [],
  },
  checks: { values: ["lab", "machine", "kvm", "guest", "ffi", "ring"], types: [] },
  report: {
    values: [],
    types: ["lab", "live", "machine", "checkpoint", "sweeps", "ring", "checks"],
  },
  vm: { values: ["lab", "guest", "ffi"], types: [] },
  cli: { values: ["vm", "checkpoint", "report", "lab"], types: ["ffi"] },
  commands: {
    values: [
      "cli",
      "checks",
      "checkpoint",
      "sweeps",
      "live",
      "lab",
      "machine",
      "guest",
      "report",
      "vm",
    ],
    types: ["ffi"],
  },
};

/** The library's face, which hands on what others export. */
const FACE = "mod.ts";
const FACE_RULE = { values: ["lab", "kvm", "ring", "ffi"], types: [] };

/** What a source may load late, and not otherwise: the model, by the one place that picks a kernel. */
const LATE: Readonly<Record<string, string>> = { "lab/backend.ts": "model" };

/** The programs, and what starts them. */
const STARTED: Readonly<Record<string, string>> = {
  "main.ts": "bin/dirtyring",
  "check_child.ts": "checks/child_process.ts",
  "ffi/other_process.ts": "ffi/other_process_errand.ts",
  "vm_start.ts": "vm/bound_process.ts",
  "vm_init.ts": "vm/machine.ts",
  "vm_command.ts": "vm/init.ts",
};

async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  for (const folder of FOLDERS) {
    for await (const { name } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
      const path = `${folder}/${name}`;
      found.push({ folder, path, text: await Deno.readTextFile(new URL(path, ROOT)) });
    }
  }
  return found;
}

async function programs(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const { name } of Deno.readDir(ROOT)) {
    if (!name.endsWith(".ts")) continue;
    found.push({ folder: "", path: name, text: await Deno.readTextFile(new URL(name, ROOT)) });
  }
  return found;
}

async function all(): Promise<ReadonlyMap<string, Source>> {
  return new Map([...await sources(), ...await programs()].map((one) => [one.path, one]));
}

/** Imports that a source may not have, as `path: target`. */
function wrongImports({ folder, path, text }: Source): string[] {
  const rule = path === FACE ? FACE_RULE : RULES[folder]!;
  const isAllowed = ({ target, kind }: Edge): boolean => {
    // Deno's own: a hash that is fed in pieces.
    if (folder === "vm" && target === "node:crypto") return true;
    const file = resolved(path, target);
    if (file === target) return target !== "@std/assert" && folder === "cli";
    const other = file.split("/")[0]!;
    if (kind === "started") return other === folder || PROGRAMS.includes(file);
    return other === folder || rule.values.includes(other) || other === "text" ||
      // Errors are told apart by their classes.
      ((kind === "type" || target.endsWith("_error.ts")) && rule.types.includes(other)) ||
      (kind === "late" && LATE[path] === other) || other === "deno.json";
  };
  const wrong = edgesOf(text).filter((edge) => !isAllowed(edge)).map(({ target }) => target);
  return [...wrong, ...(computesImports(text) ? ["computed"] : [])].map((one) => `${path}: ${one}`);
}

Deno.test("imports go down only", async () => {
  assertEquals((await sources()).flatMap(wrongImports), []);
  assertEquals((await programs()).filter(({ path }) => path === FACE).flatMap(wrongImports), []);
});

Deno.test("the import rule finds what it forbids", () => {
  const wrong = (path: string, text: string) =>
    wrongImports({ folder: path.split("/")[0]!, path, text }).length;
  const late = 'const { x } = await import("../model/rules.ts");';
  assertEquals(wrong("ring/x.ts", 'import { x } from "../ffi/errno.ts";'), 1);
  assertEquals(wrong("ring/x.ts", 'export * from "../ffi/errno.ts";'), 1);
  assertEquals(wrong("ring/x.ts", 'import "../ffi/errno.ts";'), 1);
  assertEquals(wrong("report/x.ts", 'import { ringVm } from "../lab/guest_vm.ts";'), 1);
  assertEquals(wrong("report/x.ts", 'import type { RingVm } from "../lab/guest_vm.ts";'), 0);
  assertEquals(wrong("report/x.ts", 'type Vms = typeof import("../lab/guest_vm.ts");'), 0);
  assertEquals(wrong("report/x.ts", 'const lab = import("../lab/guest_vm.ts");'), 1);
  assertEquals(wrong("model/x.ts", 'import { System } from "../kvm/system.ts";'), 1);
  assertEquals(wrong("lab/x.ts", 'import { openModel } from "../model/model_kernel.ts";'), 1);
  assertEquals([wrong("lab/x.ts", late), wrong("lab/backend.ts", late)], [1, 0]);
  assertEquals(wrong("lab/backend.ts", 'import { x } from "../model/rules.ts";'), 1);
  assertEquals(wrong("lab/backend.ts", late.replace("model", "report")), 1);
  assertEquals(wrong("lab/x.ts", 'new Worker(new URL("./x_worker.ts", import.meta.url))'), 0);
  assertEquals(wrong("lab/x.ts", 'new Worker(new URL("../live/x.ts", import.meta.url))'), 1);
  assertEquals(wrong("lab/x.ts", 'new URL("../check_child.ts", import.meta.url)'), 0);
  for (const name of ['new URL("./x.ts", import.meta.url).href', "`./${x}.ts`", 'x + ".ts"', "x"]) {
    assert(wrong("lab/x.ts", `const x = await import(${name});`) > 0, name);
  }
});

/** The files that each source imports as it is loaded, types included: what is loaded later may name who loads it. */
function importsOf(files: readonly Pick<Source, "path" | "text">[]): Map<string, string[]> {
  return new Map(files.map(({ path, text }) => {
    const targets = codeOf(text).matchAll(/^(?:import|export) (?:[^;"]*?from )?"(\.[^"]+)"/gm);
    return [
      path,
      [...targets].map(([, target]) => new URL(target!, `file:///${path}`).pathname.slice(1)),
    ];
  }));
}

/** A circle of imports that can be reached from each file, once each: `[a, b, a]`. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const over = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const from = way.indexOf(path);
    if (from !== -1) return void circles.push([...way.slice(from), path]);
    if (over.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...way, path]);
    over.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return circles;
}

Deno.test("no files import each other in a circle, not even types", async () => {
  assertEquals(circlesIn(importsOf([...await sources(), ...await programs()])), []);
});

Deno.test("a circle of imports is found, whatever is imported", () => {
  const files = [
    { path: "lab/a.ts", text: 'import type { B } from "../live/b.ts";\nimport "./d.ts";' },
    { path: "live/b.ts", text: 'export {\n  c,\n  type C,\n} from "./c.ts";' },
    { path: "live/c.ts", text: 'import "../lab/a.ts";' },
    { path: "lab/d.ts", text: 'import { d } from "./d.ts";\n// import "./a.ts";' },
    { path: "lab/e.ts", text: 'const a = import("./f.ts");\nimport x from "@std/assert";' },
    { path: "lab/f.ts", text: 'import { e } from "./e.ts";' },
  ];
  assertEquals(circlesIn(importsOf(files)), [
    ["lab/a.ts", "live/b.ts", "live/c.ts", "lab/a.ts"],
    ["lab/d.ts", "lab/d.ts"],
  ]);
});

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly isDynamic?: boolean;
    }[];
  }[];
}

// Deno tells of a name once: whether it is late, unless it is early as well.
function denosView(edges: readonly Edge[]): Map<string, boolean> {
  const has = (one: string, kind: EdgeKind) =>
    edges.some((edge) => edge.target === one && edge.kind === kind);
  const targets = edges.filter(({ kind }) => kind !== "started").map(({ target }) => target);
  return new Map(targets.map((one) => [one, has(one, "late") && !has(one, "early")]));
}

Deno.test("the import rule sees every edge that Deno sees", async () => {
  const files = await all();
  const seen = new Set<string>();
  const entries = Object.values((await project()).exports).map((one) => one.slice(2));
  for (const program of new Set([...PROGRAMS, ...entries])) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--lock=deno.lock", program],
      cwd: ROOT,
    }).output();
    const { modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
    for (const { specifier, dependencies = [] } of modules) {
      const path = specifier.replace(ROOT.href, "");
      if (path === specifier || !/(?<!\.d)\.ts$/.test(path)) continue;
      seen.add(path);
      assertEquals(
        denosView(edgesOf(files.get(path)!.text)),
        new Map(dependencies.map((one) => [one.specifier, one.isDynamic === true])),
        path,
      );
    }
  }
  // What no program leads to is a thread, a process, or stands there for nothing.
  const started = [...files.values()].flatMap(({ path, text }) =>
    edgesOf(text).filter(({ kind }) => kind === "started").map((one) => resolved(path, one.target))
  );
  for (const path of started) {
    reached(path, files, ["early", "type", "late"]).forEach((one) => seen.add(one));
  }
  assertEquals([...files.keys()].filter((path) => !seen.has(path)), []);
});

/** Late edges, as `path: target`, to what the file brings along at once by another way. */
function lateInVain(files: ReadonlyMap<string, Source>): string[] {
  const vain: string[] = [];
  for (const { path, text } of files.values()) {
    const early = reached(path, files, ["early"]);
    for (const { kind, target } of edgesOf(text)) {
      if (kind === "late" && early.has(resolved(path, target))) vain.push(`${path}: ${target}`);
    }
  }
  return vain;
}

function sourceMap(texts: Readonly<Record<string, string>>): ReadonlyMap<string, Source> {
  const made = Object.entries(texts).map(([path, text]): [string, Source] => [path, {
    folder: path.split("/")[0]!,
    path,
    text,
  }]);
  return new Map(made);
}

Deno.test("what is loaded late is not loaded at once all the same", async () => {
  assertEquals(lateInVain(await all()), []);
  const late = 'const x = await import("../b/b.ts");\n';
  const others = { "c/c.ts": 'export * from "../b/b.ts";', "b/b.ts": "" };
  const vain = { "a/a.ts": `import "../c/c.ts";\n${late}`, ...others };
  assertEquals(lateInVain(sourceMap(vain)), ["a/a.ts: ../b/b.ts"]);
  assertEquals(lateInVain(sourceMap({ "a/a.ts": late, ...others })), []);
});

/** Programs from which an `import()` can be run. */
function latePrograms(files: ReadonlyMap<string, Source>): string[] {
  const isLate = (path: string) =>
    edgesOf(files.get(path)?.text ?? "").some(({ kind }) => kind === "late");
  return Object.keys(STARTED).filter((program) =>
    [...reached(program, files, ["early"])].some(isLate)
  );
}

/** Whether each start of Deno in a text asks it to load late. */
function startsLazily(text: string): boolean {
  const starts = text.match(/--quiet/g)?.length ?? 0;
  return starts > 0 &&
    text.match(/(?<=[ "])--unstable-lazy-dynamic-imports(?=[ "])/g)?.length === starts;
}

Deno.test("a program that loads late is started so that it does, and no other", async () => {
  assertEquals(PROGRAMS.filter((one) => !Object.hasOwn(STARTED, one)), []);
  const late = latePrograms(await all());
  const lazily = [];
  for (const [program, starter] of Object.entries(STARTED)) {
    const text = await Deno.readTextFile(new URL(starter, ROOT));
    // The launcher fetches packages, too, and then all of the program is looked at.
    if (startsLazily(text.replace(" cache --quiet", ""))) lazily.push(program);
  }
  assertEquals(lazily, late);
  assertEquals(late, ["main.ts", "check_child.ts", "vm_command.ts"]);
  const one = 'import "./a/a.ts";';
  assertEquals(latePrograms(sourceMap({ "main.ts": one, "a/a.ts": 'import("./b.ts")' })), [
    "main.ts",
  ]);
  assertEquals(latePrograms(sourceMap({ "main.ts": one, "a/a.ts": 'import "./b.ts";' })), []);
  assertEquals(startsLazily("run --quiet --unstable-lazy-dynamic-imports x; run --quiet x"), false);
});

// What the rule above cannot see: what the programs name.
Deno.test("only the place that picks a kernel names the model", async () => {
  const naming = (files: readonly Source[]) =>
    files.filter(({ text }) => /\bmodel\//.test(codeOf(text))).map(({ path }) => path);
  assertEquals(naming([...await sources(), ...await programs()]), ["lab/backend.ts"]);
  const text = 'const x = import(new URL("../model/rules.ts", import.meta.url).href);';
  assertEquals(naming([{ folder: "checks", path: "x.ts", text }]), ["x.ts"]);
});

Deno.test("unsafe classes stand in ffi/ alone, and libc is loaded in one file", async () => {
  const files = await sources();
  const naming = (word: string) =>
    files.filter(({ text }) => text.includes(word)).map(({ path }) => path);
  assertEquals(naming("Deno.Unsafe").toSorted(), ["ffi/libc.ts", "ffi/machine.ts"]);
  assertEquals(naming("Deno.dlopen("), ["ffi/libc.ts"]);
});

// Anywhere else a guest that never exits would hold the program: kvm/vcpu.ts lets go at each tick (runBriefly), a
// vCPU's thread is kicked, and what checks/ does is done in a child that is ended from outside.
Deno.test("KVM_RUN is called where it holds nobody for good", async () => {
  const files = (await sources()).filter(({ folder }) => !["ffi", "model"].includes(folder));
  const naming = (word: RegExp) =>
    files.filter(({ text }) => word.test(codeOf(text))).map(({ path }) => path).toSorted();
  assertEquals(naming(/import \{[^}]*\bKVM_RUN\b[^}]*\} from/), [
    "checks/mapping.ts",
    "kvm/vcpu.ts",
    "lab/run_worker.ts",
    "live/vcpu_thread.ts",
  ]);
  assertEquals(naming(/run_beside\.ts"/).filter((path) => !path.startsWith("checks/")), []);
  const raw = naming(/\b(vcpu|one)!?\.run\(\)/).filter((path) => !path.startsWith("checks/"));
  assertEquals(raw, ["kvm/vcpu_state.ts"]); // with immediate_exit, which returns at once
});

/** Who calls `KVM_RESET_DIRTY_RINGS`, of the files above the kernel, and whether the file harvests as well. */
function resetting(files: readonly Source[]): string[] {
  const calls = /\.resetDirtyRings\(|\.ioctl\w*\([^;]*\bKVM_RESET_DIRTY_RINGS\b/;
  const harvests = /^import \{[^}]*\bHarvester\b[^}]*\} from|^ {2}harvest\(/m;
  return files.filter(({ folder }) => !["ffi", "kvm", "model"].includes(folder))
    .filter(({ text }) => calls.test(codeOf(text)))
    .map(({ path, text }) => `${path}${harvests.test(codeOf(text)) ? ": harvests, too" : ""}`)
    .toSorted();
}

Deno.test("three places harvest and reset, and one of them is the cycle's", async () => {
  assertEquals(resetting([...await sources(), ...await programs()]), [
    "checks/machine.ts: harvests, too", // raw: a check must be able to do it wrong
    "checks/reset_worker.ts", // many threads at once
    "checks/resetting.ts", // another process, which is refused
    "lab/ring_walks.ts", // asks for indices: nothing is harvested then
    "live/ring_emptier.ts: harvests, too", // a vCPU's own thread
    "machine/ring_tracker.ts: harvests, too",
  ]);
});

Deno.test("another place that harvests and resets is found", () => {
  const found = (folder: string, text: string) => resetting([{ folder, path: "x.ts", text }]);
  const harvester = 'import { Harvester } from "../ring/harvest.ts";\n';
  const reset = "const { count } = vm.resetDirtyRings();";
  assertEquals(found("lab", reset), ["x.ts"]);
  assertEquals(found("lab", harvester + reset), ["x.ts: harvests, too"]);
  assertEquals(found("lab", `${harvester}kernel.ioctl(fd, KVM_RESET_DIRTY_RINGS, 0);`), [
    "x.ts: harvests, too",
  ]);
  assertEquals(found("checks", "libc.ioctlElsewhere(fd,\n  KVM_RESET_DIRTY_RINGS)"), ["x.ts"]);
  assertEquals(found("lab", "// vm.resetDirtyRings()\nlog(`KVM_RESET_DIRTY_RINGS ${n}`);"), []);
  assertEquals(found("kvm", reset), []);
});

// What a person sees when counts differ, or a ring is wedged: each stands once.
Deno.test("what a cycle tells stands once", async () => {
  const words = [
    /an in-order harvest cannot go on/,
    /that an in-order harvest does not reach/,
    /KVM_RESET_DIRTY_RINGS returned/,
    /that no reset took back/,
  ];
  const files = await sources();
  for (const word of words) {
    const found = files.flatMap(({ path, text }) =>
      codeOf(text).split(word).slice(1).map(() => path)
    );
    // A report tells what a reset returned, also where it is right.
    assertEquals(found.filter((path) => !path.startsWith("report/")), ["drive/harvest_cycle.ts"]);
  }
});

// Crossings that hand memory over, or make it: each with the lines that stand before it.
function unexplainedCrossings(text: string): string[] {
  const lines = text.split("\n");
  const crossing = new RegExp(
    /\.getArrayBuffer\(|libc\.(open|read|ioctl_struct|mmap|munmap)\(| signal\(SIGALRM|answer\(setitimer\(/
      .source +
      /|\)\.(statx|pthread_sigmask|sigtimedwait)\(| = syscall_perf\(|Number\(pread\(|\)\.madvise\(/
        .source +
      /|libc\.(mount|syscall_init_module|execv|memfd_create|write)\(|UnsafePointer\.of\(/.source,
  );
  return lines.filter((line, n) =>
    crossing.test(line) &&
    !lines.slice(Math.max(0, n - 8), n).some((one) => one.includes("SAFETY:"))
  );
}

Deno.test("every crossing says why it is safe", async () => {
  const files = await Promise.all(
    ["libc.ts", "machine.ts", "memory_file.ts"].map((name) =>
      Deno.readTextFile(new URL(`ffi/${name}`, ROOT))
    ),
  );
  assertEquals(files.flatMap(unexplainedCrossings), []);
  const without = files.map((text) => unexplainedCrossings(text.replaceAll("SAFETY:", "")).length);
  assertEquals(without, [16, 4, 2]);
});

Deno.test("only the programs exit, and print, or have cli/printing.ts do it", async () => {
  const printing = (await sources()).filter(({ text }) =>
    /(?<![#./\w])console\.|Deno\.(exit|stdout|stderr)\b/.test(codeOf(text))
  );
  // A program, too: one that another process of this program runs.
  const paths = printing.map(({ path }) => path);
  assertEquals(paths.toSorted(), ["cli/printing.ts", "ffi/other_process.ts"]);
  const exiting = printing.filter(({ text }) => codeOf(text).includes("Deno.exit"));
  assertEquals(exiting.map(({ path }) => path), []);
  const others = (await programs()).filter(({ path }) => ![...PROGRAMS, FACE].includes(path));
  assertEquals(others.map(({ path }) => path), []);
});

Deno.test("no file is longer than 400 lines", async () => {
  const long = [...await sources(), ...await programs()].filter(({ text }) =>
    text.split("\n").length > 400
  );
  assertEquals(long.map(({ path }) => path), []);
});
