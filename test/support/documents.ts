// The pages of documentation: their examples, command lines, links and headings.
import { ROOT } from "./sources.ts";

/** A page of documentation. */
export interface Page {
  /** Its path, relative to the project's folder. */
  readonly path: string;
  /** Its Markdown. */
  readonly text: string;
}

/** An example of a page: a command, and what it prints. */
export interface Example {
  /** The command, as a shell reads it. */
  readonly command: string;
  /** The output as printed on the page. */
  readonly output: string;
}

/** Pages outside docs/. */
const BESIDE_DOCS: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "reference/README.md",
];

/** Reads a page. */
export async function readPage(path: string): Promise<Page> {
  return { path, text: await Deno.readTextFile(new URL(path, ROOT)) };
}

/** All pages: those of docs/, and those that stand elsewhere. */
export async function allPages(): Promise<Page[]> {
  const paths = [...BESIDE_DOCS];
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) paths.push(`docs/${name}`);
  }
  return await Promise.all(paths.sort().map(readPage));
}

/** The examples of a page: its blocks of the kind `console`, each of which begins with a command. */
export function examplesOf(text: string): Example[] {
  const found = text.matchAll(/^```console\n\$ (.*)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, command, output]) => ({ command: command!, output: output! }));
}

/** An output without the numbers ① to ⑨ that a page's text refers to. */
export function withoutMarks(output: string): string {
  return output.replace(/ +[①-⑨]$/gm, "");
}

/** The targets of a page's links and pictures, but for those of other sites. */
export function linksOf(text: string): string[] {
  const links = withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g);
  return [...links].map(([, target]) => target!).filter((target) => !/^\w+:/.test(target));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm);
  return new Set([...headings].map(([, heading]) => anchorOf(heading!)));
}

function anchorOf(heading: string): string {
  const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return words.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "").replace(/``.*?``|`[^`\n]*`/g, "");
}

/**
 * The arguments of each `dirtyring` command line in a page's code: blocks, indented lines, and code
 * within a line.
 */
export function commandLinesOf(text: string): string[][] {
  const fenced = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
  const outside = text.replace(/^```[\s\S]*?^```$/gm, "");
  const indented = outside.match(/^ {4}.*$/gm) ?? [];
  const within = [...outside.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  const lines = [...fenced.flatMap((block) => block.split("\n")), ...indented, ...within];
  return lines.flatMap(argumentsIn);
}

// A command line begins where a shell would look for a command; what begins another ends it.
function argumentsIn(line: string): string[][] {
  const starts = /(?:^ *|[;(] ?|-- |\$ |bisect run |&& )(?:bin\/)?dirtyring ([^:;&][^;&]*)/g;
  return [...line.matchAll(starts)].flatMap(([, rest]) => {
    const words = rest!.match(/'[^']*'|"[^"]*"|[^\s'"]+(?:'[^']*')?/g) ?? [];
    const end = words.findIndex((word) => /^(?:[|#>&]|2>)/.test(word));
    const own = (end === -1 ? words : words.slice(0, end)).map((word) =>
      word.replace(/\)+$/, "").replace(/^'(.*)'$|^"(.*)"$/, "$1$2")
    );
    return [own.filter((word) => word !== "")];
  });
}
