// YAML with types: a file that is not as its reader expects throws.
import { parse } from "./std_yaml.ts";

/** A YAML mapping. */
export type Mapping = Readonly<Record<string, unknown>>;

/**
 * Parses a YAML document.
 *
 * @throws {SyntaxError} Where it is no YAML.
 * @throws {TypeError} Where it is no mapping.
 */
export function parseYaml(text: string): Mapping {
  return mapping(parse(text));
}

/** @throws {TypeError} Where a value is no mapping. */
export function mapping(value: unknown): Mapping {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`no mapping: ${JSON.stringify(value)}`);
  }
  return Object.fromEntries(Object.entries(value));
}

/** @throws {TypeError} Where a value is no sequence of texts. */
export function texts(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) {
    throw new TypeError(`no texts: ${JSON.stringify(value)}`);
  }
  return value;
}
