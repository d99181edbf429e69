// SVG elements, text and markers.

/** Attributes of an element; those that are `null` are left out. */
export type Attributes = Readonly<Record<string, string | number | null>>;

/**
 * An SVG element.
 *
 * @example
 * ```ts
 * import { element } from "./style.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(element("circle", { cx: 1 / 3, r: 2 }), '<circle cx="0.33" r="2"/>');
 * ```
 *
 * @param attributes Its attributes; numbers are rounded to hundredths.
 * @param children Its content, as SVG.
 * @throws {RangeError} If a number is not finite.
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
 * Draws a text.
 *
 * @param x Where it is anchored.
 * @param y Its base line.
 * @param attributes Such as `text-anchor` and `font-size`.
 * @returns A `text` element.
 */
export function label(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, [escapeXml(words)]);
}

/**
 * Estimates the width of a text, because nothing here can measure it.
 *
 * @returns A width that a sans-serif font hardly exceeds.
 */
export function textWidth(words: string, fontSize: number): number {
  return words.length * fontSize * 0.58;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/**
 * Characters that XML can hold but that are written as references, because the file may be shown on
 * a terminal.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gv;

/**
 * Escapes a text for XML. Most control characters, half a surrogate pair, and two other characters
 * cannot be written in XML at all and are replaced. What else a terminal might interpret becomes a
 * reference.
 *
 * @returns The text, safe in an element and in an attribute.
 */
export function escapeXml(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll(/[&<>"\t\n\r]/g, (one) => ESCAPES[one]!)
    .replaceAll(UNPRINTABLE, (one) => `&#${one.codePointAt(0)};`);
}

/** The shape of a marker at a measured value. */
export type MarkerShape = "circle" | "square" | "triangle" | "diamond";

/** The style of a line and its markers. Styles must differ even without their colours. */
export interface LineStyle {
  /** The colour of line and markers. */
  readonly colour: string;
  /** Lengths of dashes and gaps; `null` for a solid line. */
  readonly dashes: string | null;
  /** The shape of its markers. */
  readonly marker: MarkerShape;
  /** Whether markers are filled; otherwise they are white inside. */
  readonly isFilled: boolean;
}

const SIZE = 5;

/**
 * Draws a marker.
 *
 * @param x Its middle.
 * @param y Its middle.
 */
export function marker(x: number, y: number, { colour, marker, isFilled }: LineStyle): string {
  const look = { fill: isFilled ? colour : "#fff", stroke: colour, "stroke-width": 2 };
  if (marker === "circle") return element("circle", { cx: x, cy: y, r: SIZE, ...look });
  if (marker === "square") {
    return element("rect", {
      x: x - SIZE,
      y: y - SIZE,
      width: 2 * SIZE,
      height: 2 * SIZE,
      ...look,
    });
  }
  const far = SIZE * 1.3;
  const d = marker === "triangle"
    ? path([[x, y - far], [x + far, y + SIZE], [x - far, y + SIZE]]) + "Z"
    : path([[x, y - far], [x + far, y], [x, y + far], [x - far, y]]) + "Z";
  return element("path", { d, ...look });
}

/**
 * A line through points, as the attribute `d` of a path.
 *
 * @throws {RangeError} If a coordinate is not finite.
 */
export function path(points: readonly (readonly [number, number])[]): string {
  const round = (value: number) => {
    if (!Number.isFinite(value)) throw new RangeError(`Cannot draw a line to ${value}`);
    return Math.round(value * 100) / 100;
  };
  return points.map(([x, y], n) => `${n === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}
