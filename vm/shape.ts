/** Whether a value that came from outside has the shape of a `Value`. */
export type Shape<Value> = (value: unknown) => value is Value;

/** A text. */
export const text: Shape<string> = (value): value is string => typeof value === "string";

/** Yes or no. */
export const flag: Shape<boolean> = (value): value is boolean => typeof value === "boolean";

/** A number that is one: neither infinite nor NaN. */
export const number: Shape<number> = (value): value is number => Number.isFinite(value);

/**
 * A whole number.
 *
 * @param most The greatest.
 * @returns The shape: 0 to that.
 */
export function count(most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

/**
 * One of some words.
 *
 * @param words The words.
 * @returns The shape.
 */
export function word<const Word extends string>(...words: readonly Word[]): Shape<Word> {
  return (value): value is Word => words.some((one) => one === value);
}

/**
 * A value, or `null`.
 *
 * @param shape The value's.
 * @returns The shape.
 */
export function orNull<Value>(shape: Shape<Value>): Shape<Value | null> {
  return (value): value is Value | null => value === null || shape(value);
}

/**
 * A list.
 *
 * @param shape The shape of each in it.
 * @returns The shape.
 */
export function list<Value>(shape: Shape<Value>): Shape<readonly Value[]> {
  return (value): value is readonly Value[] => Array.isArray(value) && value.every(shape);
}

/**
 * An object; it may have more than is asked for.
 *
 * @example
 * ```ts
 * import { count, record, text } from "./shape.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const named = record({ name: text, age: count(200) });
 * assertEquals([named({ name: "x", age: 7 }), named({ name: "x" }), named(null)], [true, false, false]);
 * ```
 *
 * @param fields The shape of each of its fields.
 * @returns The shape.
 */
export function record<Fields extends object>(
  fields: { readonly [Name in keyof Fields]: Shape<Fields[Name]> },
): Shape<Fields> {
  // The entries of `fields` are shapes; TypeScript types them as unknown.
  const shapes = Object.entries(fields) as (readonly [string, Shape<unknown>])[];
  return (value): value is Fields => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const own = new Map<string, unknown>(Object.entries(value));
    return shapes.every(([name, shape]) => shape(own.get(name)));
  };
}
