// The rules of the house that a reader relies on: imports go down only, one folder names the unsafe
// classes, one file loads libc, and one file prints and exits.
import { assertEquals } from "@std/assert";

const ROOT = new URL("..", import.meta.url);
const FOLDERS = ["ffi", "kvm", "guest", "ring", "lab", "checks", "report", "commands"];

// What a folder may import, itself aside. `types` may be imported as types alone.
const RULES: Readonly<Record<string, { values: readonly string[]; types: readonly string[] }>> = {
  ffi: { values: [], types: [] },
  ring: { values: [], types: [] },
  kvm: { values: ["ffi"], types: [] },
  guest: { values: ["ffi"], types: [] },
  lab: { values: ["kvm", "guest", "ffi", "ring"], types: [] },
  checks: { values: ["lab", "kvm", "guest", "ffi", "ring"], types: [] },
  report: { values: [], types: ["lab", "ring", "checks"] },
  commands: { values: ["checks", "lab", "guest", "report"], types: ["ffi"] },
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

/** Imports that a source may not have, as `path: target`. */
function wrongImports({ folder, path, text }: Source): string[] {
  const wrong: string[] = [];
  const rule = RULES[folder]!;
  // Doc comments hold examples, which may import what the tests may.
  const code = text.replace(/\/\*\*[\s\S]*?\*\//g, "");
  for (
    const [, type, target] of code.matchAll(/^(?:import|export) (type )?[^;]*?from "([^"]+)"/gm)
  ) {
    if (!target!.startsWith(".")) {
      if (target === "@std/assert" || folder !== "commands") wrong.push(`${path}: ${target}`);
      continue;
    }
    const other = target!.startsWith("./") ? folder : target!.split("/")[1]!;
    const allowed = other === folder || rule.values.includes(other) ||
      (type !== undefined && rule.types.includes(other)) || other === "deno.json";
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
  assertEquals([ring, report, types].map((one) => wrongImports(one).length), [1, 1, 0]);
});

Deno.test("unsafe classes stand in ffi/ alone, and libc is loaded in one file", async () => {
  const files = await sources();
  const naming = (word: string) =>
    files.filter(({ text }) => text.includes(word)).map(({ path }) => path);
  assertEquals(naming("Deno.Unsafe"), ["ffi/libc.ts"]);
  assertEquals(naming("Deno.dlopen("), ["ffi/libc.ts"]);
});

// Crossings that hand memory over, or make it: each with the lines that stand before it.
function unexplainedCrossings(text: string): string[] {
  const lines = text.split("\n");
  const crossing =
    /\.getArrayBuffer\(|libc\.(open|read|ioctl_struct|mmap|munmap)\(|\)\.(statx|pthread_sigmask)\(/;
  return lines.filter((line, n) =>
    crossing.test(line) &&
    !lines.slice(Math.max(0, n - 8), n).some((one) => one.includes("SAFETY:"))
  );
}

Deno.test("every crossing says why it is safe", async () => {
  const text = await Deno.readTextFile(new URL("ffi/libc.ts", ROOT));
  assertEquals(unexplainedCrossings(text), []);
  assertEquals(unexplainedCrossings(text.replaceAll("SAFETY:", "")).length, 9);
});

Deno.test("only main.ts prints and exits", async () => {
  const files = await sources();
  const printing = files.filter(({ text }) =>
    /console\.|Deno\.(exit|stdout|stderr)\b/.test(text.replace(/\/\*\*[\s\S]*?\*\//g, ""))
  );
  assertEquals(printing.map(({ path }) => path), []);
});

Deno.test("no file is longer than 400 lines", async () => {
  const long = (await sources()).filter(({ text }) => text.split("\n").length > 400);
  assertEquals(long.map(({ path }) => path), []);
});
