// Wrong variants of a result: what a schema must refuse.

/** A variant of a value. */
export interface Mutant {
  /** Where it differs, without indices: `.rings[].entries[].gfn`. */
  readonly path: string;
  /** In what. */
  readonly what: "without it" | "one more field" | "of another type" | "out of range";
  /** The whole value. */
  readonly value: unknown;
}

/**
 * Makes wrong variants, each with one difference: without a field, with a field that nobody declared,
 * with a value of another type, with a number below every range. Of the elements of a list those
 * count that bring a new field.
 */
export function* mutants(value: unknown): Generator<Mutant> {
  const seen = new Set<string>();
  for (const { keys, path, at } of places(value, [], "")) {
    if (seen.has(path)) continue;
    seen.add(path);
    const wrong = (what: Mutant["what"], change: (at: unknown) => unknown): Mutant => ({
      path,
      what,
      value: changed(value, keys, change),
    });
    yield wrong("of another type", otherType);
    if (isObject(at)) yield wrong("one more field", () => ({ ...at, undeclared: 0 }));
    if (typeof at === "number") yield wrong("out of range", () => -1e9);
    if (path !== "" && !path.endsWith("[]")) yield wrong("without it", () => undefined);
  }
}

interface Place {
  readonly keys: readonly string[];
  readonly path: string;
  readonly at: unknown;
}

function* places(at: unknown, keys: readonly string[], path: string): Generator<Place> {
  yield { keys, path, at };
  if (typeof at !== "object" || at === null) return;
  for (const [key, inner] of Object.entries(at)) {
    yield* places(inner, [...keys, key], Array.isArray(at) ? `${path}[]` : `${path}.${key}`);
  }
}

function isObject(at: unknown): at is object {
  return typeof at === "object" && at !== null && !Array.isArray(at);
}

// No field may be a list in a list, or a list where it is an object.
function otherType(at: unknown): unknown {
  return isObject(at) ? [at] : { of: at };
}

// A copy in which one place is another; a field that becomes undefined is gone.
function changed(
  value: unknown,
  [key, ...keys]: readonly string[],
  change: (at: unknown) => unknown,
): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.map((one, n) => `${n}` === key ? changed(one, keys, change) : one);
  }
  const entries = Object.entries(value as object).map(([name, one]) => [
    name,
    name === key ? changed(one, keys, change) : one,
  ]); // keys lead through objects and arrays alone
  return Object.fromEntries(entries.filter(([, one]) => one !== undefined));
}
