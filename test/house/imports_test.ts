// Imports only go down, without cycles, and modules that have to load late do so. The rules see
// every import that Deno sees.
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
} from "../support/imports.ts";
import { project } from "../support/package.ts";
import { allSources, FACE, PROGRAMS, programs, ROOT, sources } from "../support/sources.ts";

/** What a folder may import, itself and `text` aside; `types` as types alone. */
interface Rule {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

const LOW = ["kvm", "guest", "ffi"];
const LAB = ["machine", "host", "memory", "ring", ...LOW];
const CONFORMANCE = ["fuzz", "kit", "runner", "statements"].map((name) => `conformance/${name}`);

const RULES: Readonly<Record<string, Rule>> = {
  text: { values: [], types: [] },
  ffi: { values: [], types: [] },
  guest: { values: ["ffi"], types: [] },
  model: { values: ["ffi"], types: [] },
  kvm: { values: ["ffi"], types: [] },
  ring: { values: [], types: [] },
  memory: { values: ["ring"], types: [] },
  host: { values: ["kvm", "ffi"], types: [] },
  machine: { values: LAB, types: [] },
  drive: { values: LAB, types: [] },
  checkpoint: { values: LAB, types: ["drive"] },
  vm: { values: ["host", "guest", "ffi"], types: [] },
  "conformance/kit": { values: ["host", "ring", ...LOW], types: [] },
  "conformance/statements": {
    values: ["conformance/kit", "drive", "host", "ring", ...LOW],
    types: [],
  },
  "conformance/runner": { values: ["conformance/kit", "host", ...LOW], types: [CONFORMANCE[3]!] },
  "conformance/fuzz": { values: ["conformance/kit", "drive", "host", "ring", ...LOW], types: [] },
  report: { values: [], types: ["conformance/runner", "drive", ...LAB] },
  "report/chart": { values: ["report"], types: [] },
  "cli/completions": { values: [], types: [] },
  "cli/topics": { values: [], types: [] },
  cli: {
    values: ["cli/completions", "cli/topics", "vm", "checkpoint", "report", "host", "ffi"],
    types: [],
  },
  commands: { values: ["cli", "report", "machine", "host", "guest"], types: ["drive", "ffi"] },
};

/** A command's room sees all but the model and other rooms. */
const ROOM: Rule = {
  values: [
    "commands",
    "cli",
    "vm",
    "checkpoint",
    "report",
    "report/chart",
    ...CONFORMANCE,
    "drive",
    ...LAB,
  ],
  types: [],
};

/** Rooms that use another's. */
const NEXT_DOOR: Readonly<Record<string, readonly string[]>> = {
  // A ring's size is measured live, and a result compared with a baseline.
  "commands/bench": ["commands/live", "commands/compare"],
  "commands/check": ["commands/compare"], // with what is expected
  "commands/restore": ["commands/checkpoint"], // what is restored goes on as it was kept
  "commands/run": ["commands/stats"], // it shows statistics
};

const FACE_RULE: Rule = { values: ["host", "memory", "kvm", "ring", "ffi"], types: [] };

function ruleOf({ folder, path }: Source): Rule {
  if (path === FACE) return FACE_RULE;
  if (Object.hasOwn(RULES, folder)) return RULES[folder]!;
  if (!folder.startsWith("commands/")) return { values: [], types: [] };
  const door = NEXT_DOOR[folder];
  return door === undefined ? ROOM : { ...ROOM, values: [...ROOM.values, ...door] };
}

/**
 * What a source may load late, and not otherwise: the model, by what picks a kernel; rooms, by what
 * lists commands.
 */
const LATE: Readonly<Record<string, RegExp>> = {
  "host/backend.ts": /^model$/,
  "commands/registry.ts": /^commands\/[a-z]+$/,
};

/** The programs, and what starts them. */
const STARTED: Readonly<Record<string, string>> = {
  "main.ts": "bin/dirtyring",
  "check_child.ts": "conformance/runner/child_process.ts",
  "ffi/other_process.ts": "ffi/other_process_errand.ts",
  "vm_start.ts": "vm/bound_process.ts",
  "vm_init.ts": "vm/machine.ts",
  "vm_command.ts": "vm/init.ts",
};

/** Imports that a source may not have, as `path: target`. */
function wrongImports(source: Source): string[] {
  const { folder, path, text } = source;
  const rule = ruleOf(source);
  const isAllowed = ({ target, kind }: Edge): boolean => {
    // Deno's own: a hash that is fed in pieces.
    if (folder === "vm" && target === "node:crypto") return true;
    const file = resolved(path, target);
    if (file === target) return target !== "@std/assert" && folder === "cli";
    const other = file.split("/").slice(0, -1).join("/");
    if (kind === "started") return other === folder || PROGRAMS.includes(file);
    return other === folder || rule.values.includes(other) || other === "text" ||
      // Errors are told apart by their classes.
      ((kind === "type" || target.endsWith("/errors.ts")) && rule.types.includes(other)) ||
      (kind === "late" && LATE[path]?.test(other) === true) || file === "deno.json";
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
    wrongImports({ folder: path.split("/").slice(0, -1).join("/"), path, text }).length;
  const late = 'const { x } = await import("../model/dirty_ring.ts");';
  assertEquals(wrong("ring/x.ts", 'import { x } from "../ffi/errors.ts";'), 1);
  assertEquals(wrong("ring/x.ts", 'export * from "../ffi/errors.ts";'), 1);
  assertEquals(wrong("ring/x.ts", 'import "../ffi/errors.ts";'), 1);
  assertEquals(wrong("memory/x.ts", 'import { x } from "../machine/plan.ts";'), 1);
  assertEquals(wrong("machine/x.ts", 'import { x } from "../memory/witness.ts";'), 0);
  assertEquals(wrong("report/x.ts", 'import { ringVm } from "../machine/guest_vm.ts";'), 1);
  assertEquals(wrong("report/x.ts", 'import type { RingVm } from "../machine/guest_vm.ts";'), 0);
  assertEquals(wrong("report/x.ts", 'type Vms = typeof import("../machine/guest_vm.ts");'), 0);
  assertEquals(wrong("report/x.ts", 'const vms = import("../machine/guest_vm.ts");'), 1);
  assertEquals(wrong("model/x.ts", 'import { System } from "../kvm/system.ts";'), 1);
  assertEquals(wrong("host/x.ts", 'import { openModel } from "../model/model_kernel.ts";'), 1);
  assertEquals([wrong("host/x.ts", late), wrong("host/backend.ts", late)], [1, 0]);
  assertEquals(wrong("host/backend.ts", 'import { x } from "../model/dirty_ring.ts";'), 1);
  assertEquals(wrong("host/backend.ts", late.replace("model", "report")), 1);
  assertEquals(wrong("drive/x.ts", 'new Worker(new URL("./x_worker.ts", import.meta.url))'), 0);
  assertEquals(wrong("drive/x.ts", 'new Worker(new URL("../host/x.ts", import.meta.url))'), 1);
  assertEquals(wrong("drive/x.ts", 'new URL("../check_child.ts", import.meta.url)'), 0);
  for (const name of ['new URL("./x.ts", import.meta.url).href', "`./${x}.ts`", 'x + ".ts"', "x"]) {
    assert(wrong("drive/x.ts", `const x = await import(${name});`) > 0, name);
  }
});

Deno.test("a command's room opens on no other room but those next door", () => {
  const wrong = (room: string, other: string) => {
    const text = `import { x } from "../${other}/x.ts";`;
    return wrongImports({ folder: `commands/${room}`, path: `commands/${room}/x.ts`, text }).length;
  };
  assertEquals([wrong("dump", "stats"), wrong("run", "stats"), wrong("stats", "run")], [1, 0, 1]);
  const late = 'x: () => import("./stats/command.ts")';
  const listed = (path: string) => wrongImports({ folder: "commands", path, text: late }).length;
  assertEquals([listed("commands/registry.ts"), listed("commands/lab_options.ts")], [0, 1]);
  assertEquals(
    wrongImports({
      folder: "commands/dump",
      path: "commands/dump/x.ts",
      text: 'import { x } from "../../model/vm.ts";',
    }).length,
    1,
  );
});

/**
 * The files that each source imports as it is loaded, types included: what is loaded later may name
 * who loads it.
 */
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
  const files = await allSources();
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
    folder: path.split("/").slice(0, -1).join("/"),
    path,
    text,
  }]);
  return new Map(made);
}

Deno.test("what is loaded late is not loaded at once all the same", async () => {
  assertEquals(lateInVain(await allSources()), []);
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
  const late = latePrograms(await allSources());
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
