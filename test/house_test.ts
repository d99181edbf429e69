// The rules of the house that a reader relies on: imports go down only, one folder names the unsafe
// classes, one file loads libc, one file picks a kernel, and only a program prints and exits.
import { assertEquals } from "@std/assert";

const ROOT = new URL("..", import.meta.url);
const FOLDERS = [
  ...[
    "text",
    "ffi",
    "kvm",
    "model",
    "guest",
    "ring",
    "lab",
    "live",
    "checkpoint",
    "sweeps",
    "checks",
    "report",
    "vm",
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
  lab: { values: ["kvm", "guest", "ffi", "ring"], types: [] },
  live: { values: ["lab", "kvm", "guest", "ffi", "ring"], types: [] },
  checkpoint: { values: ["live", "lab", "kvm", "guest", "ffi", "ring"], types: [] },
  sweeps: { values: ["live", "lab", "kvm", "guest", "ffi", "ring"], types: [] },
  checks: { values: ["lab", "kvm", "guest", "ffi", "ring"], types: [] },
  report: { values: [], types: ["lab", "live", "checkpoint", "sweeps", "ring", "checks"] },
  vm: { values: ["lab", "guest", "ffi"], types: [] },
  commands: {
    values: ["checks", "checkpoint", "sweeps", "live", "lab", "guest", "report", "vm"],
    types: ["ffi"],
  },
};

interface Source {
  readonly folder: string;
  readonly path: string;
  readonly text: string;
}

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

/** A source without its comments, which may name anything. */
function codeOf(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** Imports that a source may not have, as `path: target`. */
function wrongImports({ folder, path, text }: Source): string[] {
  const wrong: string[] = [];
  const rule = RULES[folder]!;
  // Doc comments hold examples, which may import what the tests may.
  for (
    const [, type, target] of codeOf(text).matchAll(
      /^(?:import|export) (type )?[^;]*?from "([^"]+)"/gm,
    )
  ) {
    if (!target!.startsWith(".")) {
      // Deno's own: a hash that is fed in pieces.
      if (folder === "vm" && target === "node:crypto") continue;
      if (target === "@std/assert" || folder !== "commands") wrong.push(`${path}: ${target}`);
      continue;
    }
    const other = target!.startsWith("./") ? folder : target!.split("/")[1]!;
    const allowed = other === folder || rule.values.includes(other) ||
      // Errors are told apart by their classes.
      other === "text" ||
      ((type !== undefined || target!.endsWith("_error.ts")) && rule.types.includes(other)) ||
      other === "deno.json";
    if (!allowed) wrong.push(`${path}: ${target}`);
  }
  return wrong;
}

Deno.test("imports go down only", async () => {
  assertEquals((await sources()).flatMap(wrongImports), []);
});

Deno.test("the import rule finds what it forbids", () => {
  const source = (folder: string, text: string) => ({ folder, path: "x.ts", text });
  const ring = source("ring", 'import { x } from "../ffi/errno.ts";');
  const report = source("report", 'import { lab } from "../lab/lab.ts";');
  const types = source("report", 'import type { Lab } from "../lab/lab.ts";');
  const model = source("model", 'import { System } from "../kvm/system.ts";');
  const lab = source("lab", 'import { openModel } from "../model/model_kernel.ts";');
  assertEquals(
    [ring, report, types, model, lab].map((one) => wrongImports(one).length),
    [1, 1, 0, 1, 1],
  );
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

// What the rule above cannot see: a name that is computed, and what the programs name.
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

Deno.test("only the programs print and exit", async () => {
  const printing = (await sources()).filter(({ text }) =>
    /(?<![#./\w])console\.|Deno\.(exit|stdout|stderr)\b/.test(codeOf(text))
  );
  // A program, too: one that another process of this program runs.
  assertEquals(printing.map(({ path }) => path), ["ffi/other_process.ts"]);
  const others = (await programs()).filter(({ path }) => !PROGRAMS.includes(path));
  assertEquals(others.map(({ path }) => path), []);
});

Deno.test("no file is longer than 400 lines", async () => {
  const long = [...await sources(), ...await programs()].filter(({ text }) =>
    text.split("\n").length > 400
  );
  assertEquals(long.map(({ path }) => path), []);
});
