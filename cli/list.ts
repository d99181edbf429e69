import type { Option } from "./option.ts";
import { printable } from "../text/printable.ts";

/**
 * An option that takes several values, separated by commas.
 *
 * @example
 * ```ts
 * import { list } from "./list.ts";
 * import { count } from "./option.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pages = list(count("", 1, { min: 1 }), "numbers of dirty pages", [16, 256]);
 * assertEquals([pages.fallbackText, pages.parse("1,0x10")], ["16,256", [1, 16]]);
 * ```
 *
 * @param item An option of one value: reads each of them.
 * @param help What they mean.
 * @param fallback Their default.
 * @param fallbackText The default as help shows it.
 * @returns The option; at least one value, and none twice.
 */
export function list<T>(
  item: Option<T>,
  help: string,
  fallback: readonly T[],
  fallbackText: string = fallback.join(),
): Option<readonly T[]> {
  return {
    value: `${item.value},...`,
    help,
    fallback,
    fallbackText,
    parse(text) {
      const values: T[] = [];
      const parts = text.split(",").map((part) => part.trim());
      for (const one of parts) {
        // The error of a whole option names its text already.
        const value = parts.length === 1 ? item.parse(one) : parseOne(item, one);
        if (values.includes(value)) throw new SyntaxError(`${printable(one)} stands there twice`);
        values.push(value);
      }
      return values;
    },
  };
}

function parseOne<T>(item: Option<T>, text: string): T {
  try {
    return item.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(`${text === "" ? '""' : printable(text)}: ${error.message}`);
  }
}
