import { escapeXml } from "./xml.ts";

/** Attributes of an element; one that is `null` is left out. */
export type Attributes = Readonly<Record<string, string | number | null>>;

/**
 * An element of SVG.
 *
 * @example
 * ```ts
 * import { element } from "./svg_element.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(element("circle", { cx: 1 / 3, r: 2 }), '<circle cx="0.33" r="2"/>');
 * ```
 *
 * @param name Its name.
 * @param attributes Its attributes; numbers are rounded to hundredths.
 * @param children What it holds, as SVG.
 * @returns Its text.
 * @throws {RangeError} For a number that is none, which no picture may hold.
 */
export function element(
  name: string,
  attributes: Attributes,
  children: readonly string[] = [],
): string {
  let head = name;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) head += ` ${key}="${attributeText(key, value)}"`;
  }
  return children.length === 0 ? `<${head}/>` : `<${head}>${children.join("")}</${name}>`;
}

function attributeText(key: string, value: string | number): string {
  if (typeof value === "string") return escapeXml(value);
  if (!Number.isFinite(value)) throw new RangeError(`Cannot draw with ${key} ${value}`);
  return `${Math.round(value * 100) / 100}`;
}

/**
 * Some words at a place.
 *
 * @param x Where they are.
 * @param y Their base line.
 * @param words The words.
 * @param attributes What sets them: `text-anchor`, `font-size`.
 * @returns A `text` element.
 */
export function label(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, [escapeXml(words)]);
}

/**
 * About how wide some words are set: there is nothing here that could measure them.
 *
 * @param words The words.
 * @param fontSize The size of the font.
 * @returns A width that a sans-serif font hardly exceeds.
 */
export function textWidth(words: string, fontSize: number): number {
  return words.length * fontSize * 0.58;
}
