import type { Random } from "../../guest/pattern.ts";
import { once, pick } from "./chance.ts";
import { hostileNumber, hostileText } from "./texts.ts";

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [name: string]: Json;
};

/** Changes a value in one place: another number or kind of value, a field removed or added. */
export function changed(random: Random, value: Json): Json {
  if (typeof value !== "object" || value === null || once(random, 12)) return other(random, value);
  if (Array.isArray(value)) return changedList(random, value);
  const fields = Object.entries(value);
  if (fields.length === 0 || once(random, 10)) {
    return { ...value, [hostileText(random)]: hostileValue(random) };
  }
  const [name] = pick(random, fields);
  if (once(random, 10)) return Object.fromEntries(fields.filter(([one]) => one !== name));
  return Object.fromEntries(
    fields.map(([one, of]) => [one, one === name ? changed(random, of) : of]),
  );
}

function changedList(random: Random, list: readonly Json[]): Json {
  const at = random(list.length);
  switch (random(6)) {
    case 0:
      return list.slice(0, at);
    case 1:
      return [...list, hostileValue(random)];
    case 2:
      return Array.from({ length: pick(random, [1025, 5000]) }, () => list[at] ?? null);
    default:
      return list.map((one, n) => n === at ? changed(random, one) : one);
  }
}

// Another value, mostly of the same kind, as a wrong kind is noticed early.
function other(random: Random, value: Json): Json {
  if (once(random, 4)) return hostileValue(random);
  if (typeof value === "string") return hostileText(random);
  if (typeof value !== "number") return hostileValue(random);
  return once(random, 2) ? hostileNumber(random) : value + pick(random, [-1, 1, -4096, 4096]);
}

function hostileValue(random: Random): Json {
  const number = hostileNumber(random);
  return pick<Json>(random, [null, true, number, `${number}`, hostileText(random), [], {}, [
    number,
  ]]);
}

/**
 * Writes a value as JSON, sometimes as `JSON.stringify` never would: deeply nested, with a
 * duplicate name, with a byte-order mark, with numbers out of range, or cut off.
 */
export function hostileJson(random: Random, value: Json): string {
  const text = JSON.stringify(value);
  switch (random(30)) {
    case 0:
      return "[".repeat(pick(random, [100, 5000, 200_000]));
    case 1:
      return text.replace("{", `{"${hostileText(random).replaceAll(/["\\]/g, "")}":1,`);
    case 2:
      return `\ufeff${text}`;
    case 3:
      return text.replace(
        /\d+/,
        pick(random, ["1e400", "-0", "0x10", "NaN", "1".repeat(4000), "01"]),
      );
    case 4:
      return text.slice(0, random(text.length + 1));
    case 5:
      return text.replace("{", `{"__proto__":{"vcpus":1},"__proto__":null,`);
    case 6:
      return `${text}${hostileText(random)}`;
    default:
      return text;
  }
}
