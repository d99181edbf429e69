// docs/results.md: what stands in frame.md, with a section where it names a schema.
import type { Schemas } from "./schemas.ts";
import { Tables } from "./tables.ts";

/** The page that is made. */
export const PAGE: URL = new URL("../../docs/results.md", import.meta.url);

/** Reads the frame: prose, and lines such as `## {{run-1}}` or `{{index}}`. */
export async function readFrame(): Promise<string> {
  return await Deno.readTextFile(new URL("frame.md", import.meta.url));
}

const MARK = /^(?:(#+) \{\{(.+)\}\}|\{\{index\}\})$/gm;

/** The names of the schemas, and of their parts, that have a section. */
export function sectionsOf(frame: string): string[] {
  return [...frame.matchAll(MARK)].flatMap(([, , name]) => name === undefined ? [] : [name]);
}

/**
 * Makes the page.
 *
 * @throws {Error} If the frame names a schema that does not exist, or that nobody described.
 */
export function pageOf(frame: string, schemas: Schemas): string {
  const tables = new Tables(schemas);
  return frame.replaceAll(
    MARK,
    (_, hashes?: string, name?: string) =>
      name === undefined ? tables.index() : tables.section(name, hashes!),
  );
}
