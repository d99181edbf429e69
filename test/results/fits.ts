// A result fits its schema, and no wrong variant of it does.
import { assert, assertEquals } from "@std/assert";
import { withoutTimes } from "../../report/record.ts";
import { mutants } from "./mutants.ts";
import { readSchemas, schemaOf, Validator } from "./schemas.ts";

const VALIDATOR = new Validator(await readSchemas());

/** Fields that a result may lack. */
const OPTIONAL: readonly RegExp[] = [
  /^(\.kernels\[\]\.report)?\.provenance$/,
  /\.provenance\.kernel\.parameters\.kvm(_\w+)?\.\w+$/,
  /^\.cases$/, // enable without --matrix
  /^\.comparison(\.provenance)?$/, // check without --expect, bench without --baseline
  /^\.capabilities\.KVM_CAP_\w+$/, // those that a kernel was asked for
];

/**
 * The wrong variants of a value that a schema takes, as lines.
 *
 * @param name The schema.
 * @throws {AssertionError} If the value is too small to have many.
 */
export function taken(value: unknown, name: string, validator = VALIDATOR): string[] {
  const all = [...mutants(value)].filter(({ what, path }) =>
    what !== "without it" || !OPTIONAL.some((one) => one.test(path))
  );
  assert(all.length > 10, `${all.length}`);
  return all.filter((mutant) => validator.problem(name, mutant.value) === null)
    .map(({ path, what }) => `${path} ${what}`);
}

/**
 * Expects that a value fits a schema, as it is and without its times, and that no wrong variant of
 * it does.
 *
 * @param value A result, or a part of one.
 * @param name The schema; that which the result names unless given.
 */
export function assertFits(value: object, name?: string): void {
  // As a reader of the JSON sees it.
  const read = JSON.parse(JSON.stringify(value));
  const schema = name ?? schemaOf(read);
  for (const one of [read, withoutTimes(read)]) {
    assertEquals(VALIDATOR.problem(schema, one), null, `${schema}: ${JSON.stringify(one)}`);
  }
  assertEquals(taken(read, schema), [], schema);
}

/** Expects that a value does not fit a schema, for a reason. */
export function assertRefused(value: object, name: string, reason: string): void {
  const problem = VALIDATOR.problem(name, value);
  assert(problem?.includes(reason), `${problem}`);
}
