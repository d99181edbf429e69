// The schemas themselves, and docs/results.md that is made from them.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FUZZ_RANGES } from "../../conformance/fuzz/program.ts";
import { codeOf } from "../support/imports.ts";
import { withoutTimes } from "../../report/record.ts";
import { programs, sources } from "../support/sources.ts";
import { PAGE, pageOf, readFrame, sectionsOf } from "./page.ts";
import { COMMON, readSchemas, type Schema, type Schemas, Validator } from "./schemas.ts";
import { isTime } from "./tables.ts";

const SCHEMAS = await readSchemas();

Deno.test("each schema is one of JSON Schema 2020-12, whose references lead somewhere", () => {
  const validator = new Validator(SCHEMAS);
  for (const [name, { $schema }] of Object.entries(SCHEMAS)) {
    assertEquals($schema, "https://json-schema.org/draft/2020-12/schema", name);
    validator.compile(name);
  }
  const $schema = SCHEMAS[COMMON]!.$schema!;
  const broken: readonly (readonly [object, RegExp])[] = [
    [{ type: "nothing" }, /schema is invalid/],
    [{ type: "number", maximun: 3 }, /unknown keyword: "maximun"/],
    [{ type: "number", unit: 3 }, /unit value must be/],
    [{ $ref: "common-1.json#/$defs/nobody" }, /can't resolve reference/],
  ];
  for (const [schema, message] of broken) {
    const wrong: Schemas = { ...SCHEMAS, "wrong-1": { $schema, ...schema } };
    assertMatch(
      assertThrows(() => new Validator(wrong).compile("wrong-1"), Error).message,
      message,
    );
  }
});

Deno.test("each schema name that the sources write has a file, and each file such a name", async () => {
  const files = [...await sources(), ...await programs()];
  const named = files.flatMap(({ text }) => codeOf(text).match(/\bdirtyring\.[a-z-]+\/\d+/g) ?? []);
  const titles = Object.values(SCHEMAS).map(({ title = "" }) => title)
    .filter((title) => title.startsWith("dirtyring."));
  assertEquals([...new Set(named)].toSorted(), titles.toSorted());
  for (const [name, { title, $defs, ...schema }] of Object.entries(SCHEMAS)) {
    if (!title!.startsWith("dirtyring.")) continue;
    assertEquals(title, `dirtyring.${name.replace(/-(\d+)$/, "/$1")}`);
    const field = (schema.properties ?? $defs?.["fields"]?.properties)?.["schema"] || {};
    assertEquals(field.const, title);
  }
});

/** A schema in a schema. */
interface Part {
  readonly path: string;
  readonly schema: Schema;
  readonly isField: boolean;
}

function* partsOf(schema: Schema, path: string, isField = false): Generator<Part> {
  yield { path, schema, isField };
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field !== false) yield* partsOf(field, `${path}.${name}`, true);
  }
  const { items, oneOf = [], $defs = {} } = schema;
  if (items !== undefined) yield* partsOf(items, `${path}[]`);
  for (const [n, one] of oneOf.entries()) yield* partsOf(one, `${path}|${n}`);
  for (const [name, one] of Object.entries($defs)) yield* partsOf(one, `${path}#${name}`);
}

const PARTS = Object.entries(SCHEMAS).flatMap(([name, schema]) => [...partsOf(schema, name)]);

// What is wrong with how a schema is described. What a reference leads to has a text of its own.
function faults({ path, schema, isField }: Part): string[] {
  const { description, $ref, type, minimum, unit, enum: words = [] } = schema;
  const types = [type ?? []].flat();
  const isNumber = types.includes("number") || types.includes("integer");
  const isNamedTime = isField && isNumber && /\.(ms|\w+(Ns|Ms|NsPerEntry))$/.test(path);
  const told = words.filter((word) => word !== null && description !== undefined);
  return [
    ...(isField && description === undefined && $ref === undefined ? ["no description"] : []),
    ...(isNumber && minimum === undefined ? ["no range"] : []),
    ...(unit !== undefined && !isNumber ? ["a unit, but no number"] : []),
    ...(isNamedTime && !isTime(schema) ? ["a time, but no unit of one"] : []),
    ...(isTime(schema) && !types.includes("null") ? ["a time that cannot be null"] : []),
    ...told.filter((word) => !description!.includes(`\`${word}\``))
      .map((word) => `does not say what ${word} is`),
  ];
}

Deno.test("each field is described, with a range and a unit, and a time may be null", () => {
  for (const part of PARTS) assertEquals(faults(part), [], part.path);
  assert(PARTS.filter(({ schema }) => isTime(schema)).length > 50);
  const field = { description: "A time.", type: ["number", "null"], minimum: 0, unit: "ns" };
  const found = (schema: Schema) => faults({ path: "x.aNs", schema, isField: true });
  assertEquals(found(field), []);
  assertEquals(found({ ...field, unit: "bytes" }), ["a time, but no unit of one"]);
  assertEquals(found({ type: "number", unit: "ns" }), [
    "no description",
    "no range",
    "a time that cannot be null",
  ]);
  assertEquals(found({ description: "`b`", type: "string", enum: ["b", "c"], unit: "ms" }), [
    "a unit, but no number",
    "a time that cannot be null",
    "does not say what c is",
  ]);
});

/** Times that were asked for, which are told in any case, and those in what has a name of a time. */
const NOT_MEASURED: readonly string[] = [
  ...["intervalNs", "intervalMs", "durationNs"],
  ...["mean", "p50", "p99", "max"],
];

// Whether a result without times has null in a field of this name.
function isNulled(name: string): boolean {
  return Object.values(withoutTimes({ [name]: 1 }) as object)[0] === null; // as it was, but for that
}

function mayBeNull(schema: Schema): boolean {
  return [schema, ...schema.oneOf ?? []].some(({ type }) => [type].flat().includes("null"));
}

Deno.test("what a result has no value of without times may be null, and is a time", () => {
  const fields = PARTS.filter(({ isField }) => isField).map(({ path, schema }) => {
    return { path, schema, name: path.split(".").at(-1)! };
  });
  const nulled = fields.filter(({ name }) => isNulled(name));
  assert(nulled.length > 50);
  assertEquals(nulled.filter(({ schema }) => !mayBeNull(schema)).map(({ path }) => path), []);
  const left = fields.filter(({ schema, name }) => isTime(schema) && !isNulled(name));
  assertEquals(left.filter(({ name }) => !NOT_MEASURED.includes(name)).map(({ path }) => path), []);
});

Deno.test("numbers of a program's operations have the ranges that fuzz --file takes", () => {
  const found = SCHEMAS["fuzz-1"]!.$defs!["op"]!.oneOf!.map(({ properties = {} }) => {
    const { do: name, ...numbers } = properties;
    const ranges = Object.entries(numbers).map(([field, of]) => {
      const { minimum, maximum } = (of || {}).items ?? (of || {});
      return [field, [minimum, maximum]];
    });
    return [(name || {}).const, Object.fromEntries(ranges)];
  });
  assertEquals(Object.fromEntries(found), FUZZ_RANGES);
});

Deno.test("docs/results.md is what the schemas give: otherwise deno task results writes it", async () => {
  const page = await Deno.readTextFile(PAGE);
  const frame = await readFrame();
  assertEquals(page, pageOf(frame, SCHEMAS));
  // Another description, and another schema, give another page.
  const { "probe-1": probe, ...others } = SCHEMAS;
  const changed = { ...SCHEMAS, "probe-1": { ...probe!, description: "Something else." } };
  assert(pageOf(frame, changed).includes("\nSomething else.\n"));
  assertThrows(() => pageOf(frame, others), Error, "No schema probe-1");
});

Deno.test("each result has a section, and each link of docs/results.md a heading", async () => {
  const sections = sectionsOf(await readFrame());
  const results = Object.entries(SCHEMAS).filter(([, { title }]) =>
    title!.startsWith("dirtyring.")
  );
  assertEquals(results.map(([name]) => name).filter((name) => !sections.includes(name)), []);
  assertEquals(sections.length, new Set(sections).size);
  const page = await Deno.readTextFile(PAGE);
  assertEquals(deadLinks(page), []);
  assertEquals(deadLinks("# A b/1\n[x](#a-b1) [y](#nobody)"), ["nobody"]);
  for (const [, file] of page.matchAll(/\]\(([^#)]+)\)/g)) await Deno.stat(new URL(file!, PAGE));
});

function deadLinks(page: string): string[] {
  const slugs = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-")
  );
  return [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, slug]) => slug!)
    .filter((slug) => !slugs.includes(slug));
}
