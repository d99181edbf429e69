// What a source names of others, read off its text: Deno's own graph knows neither what it starts as a thread or a
// process, nor which names are computed. test/house/house_test.ts holds the two against each other.

/**
 * How a source names another: `early`, loaded before its first line runs, `type`, which goes when it is translated,
 * `late`, loaded when an `import()` is run, or `started`, as a thread or a process.
 */
export type EdgeKind = "early" | "type" | "late" | "started";

/** A source's name for another. */
export interface Edge {
  /** As it is written. */
  readonly target: string;
  /** How it is named. */
  readonly kind: EdgeKind;
}

/** A source of the program. */
export interface Source {
  /** The folder that it stands in; empty for a program. */
  readonly folder: string;
  /** From the project's folder on. */
  readonly path: string;
  /** All of it. */
  readonly text: string;
}

/** A source without its comments, which may name anything: doc comments hold examples that import what tests may. */
export function codeOf(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** What a source names, in the order of kinds. */
export function edgesOf(text: string): Edge[] {
  const code = codeOf(text);
  const edges: Edge[] = [];
  const add = (kind: EdgeKind, pattern: RegExp) => {
    for (const [, target] of code.matchAll(pattern)) edges.push({ kind, target: target! });
  };
  add("early", /^import "([^"]+)"/gm);
  add("early", /^(?:import|export) (?!type )[\w\s,*{}]+ from "([^"]+)"/gm);
  add("type", /^(?:import|export) type [\w\s,*{}]+ from "([^"]+)"/gm);
  add("type", /\btypeof import\(\s*"([^"]+)",?\s*\)/g);
  add("late", /(?<!\btypeof )\bimport\(\s*"([^"]+)",?\s*\)/g);
  add("started", /\bnew URL\(\s*"([^"]+\.ts)"/g);
  return edges;
}

/** Whether a source loads what no text names. A text of its own may speak of an import, behind a quotation mark. */
export function computesImports(text: string): boolean {
  return /(?<![\w.`"'])import\((?!\s*"[^"]+",?\s*\))/.test(codeOf(text));
}

/** Which of the program's files a name in another leads to; what is no file is as it was written. */
export function resolved(path: string, target: string): string {
  const isFile = /^\.|\.ts$/.test(target);
  return isFile ? new URL(target, `file:///${path}`).pathname.slice(1) : target;
}

/**
 * The files that a file brings along.
 *
 * @param sources All that there are.
 * @param kinds By which edges.
 * @returns It, and the others.
 */
export function reached(
  path: string,
  sources: ReadonlyMap<string, Source>,
  kinds: readonly EdgeKind[],
): Set<string> {
  const found = new Set([path]);
  // A set that grows while it is walked hands out what was added too.
  for (const one of found) {
    for (const { kind, target } of edgesOf(sources.get(one)?.text ?? "")) {
      if (kinds.includes(kind)) found.add(resolved(one, target));
    }
  }
  return found;
}
