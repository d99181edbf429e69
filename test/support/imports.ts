// Finds the files that a source refers to, from its text. Deno's module graph does not contain
// files that are started as a thread or a process, and does not know which imports are computed.
// test/house/imports_test.ts compares the two.

/**
 * How a source refers to another: `early`, a static import; `type`, an import that is erased;
 * `late`, an `import()`; `started`, as a thread or a process.
 */
export type EdgeKind = "early" | "type" | "late" | "started";

/** A reference from a source to another. */
export interface Edge {
  /** The target as it is written in the source. */
  readonly target: string;
  /** The kind of reference. */
  readonly kind: EdgeKind;
}

/** A source of the program. */
export interface Source {
  /** Its folder; empty for a program. */
  readonly folder: string;
  /** Its path, relative to the project's folder. */
  readonly path: string;
  /** Its whole text. */
  readonly text: string;
}

/** A source without its comments: examples in doc comments may import anything. */
export function codeOf(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** The references of a source, ordered by kind. */
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

/**
 * Whether a source has an `import()` with a computed argument. One inside a string does not count.
 */
export function computesImports(text: string): boolean {
  return /(?<![\w.`"'])import\((?!\s*"[^"]+",?\s*\))/.test(codeOf(text));
}

/** The path of the file to which a target leads; a target that is no file is returned unchanged. */
export function resolved(path: string, target: string): string {
  const isFile = /^\.|\.ts$/.test(target);
  return isFile ? new URL(target, `file:///${path}`).pathname.slice(1) : target;
}

/**
 * The files that can be reached from a file.
 *
 * @param sources All sources, by path.
 * @param kinds The kinds of references to follow.
 * @returns Their paths, including the file itself.
 */
export function reached(
  path: string,
  sources: ReadonlyMap<string, Source>,
  kinds: readonly EdgeKind[],
): Set<string> {
  const found = new Set([path]);
  // Iterating a set also visits the elements that are added meanwhile.
  for (const one of found) {
    for (const { kind, target } of edgesOf(sources.get(one)?.text ?? "")) {
      if (kinds.includes(kind)) found.add(resolved(one, target));
    }
  }
  return found;
}
