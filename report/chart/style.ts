/** Attributes of an element; one that is `null` is left out. */
export type Attributes = Readonly<Record<string, string | number | null>>;

/**
 * An element of SVG.
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
 * @param children What it holds, as SVG.
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
 * @param attributes What sets them: `text-anchor`, `font-size`.
 * @returns A `text` element.
 */
export function label(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, [escapeXml(words)]);
}

/**
 * About how wide some words are set: there is nothing here that could measure them.
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

/** What XML can write, and what is written as a reference: a terminal may show the file as it is. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gv;

/**
 * A text as XML. That has no way at all to write most control characters, half a surrogate pair, and two others; what
 * else a terminal might obey is a reference.
 *
 * @returns It, escaped for an element and for an attribute.
 */
export function escapeXml(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll(/[&<>"\t\n\r]/g, (one) => ESCAPES[one]!)
    .replaceAll(UNPRINTABLE, (one) => `&#${one.codePointAt(0)};`);
}

/** A shape that stands at a measured value. */
export type MarkerShape = "circle" | "square" | "triangle" | "diamond";

/** How a line and its markers look: no two alike without their colours, either. */
export interface LineStyle {
  /** The colour of line and markers. */
  readonly colour: string;
  /** Lengths of dashes and gaps; `null` is a line without gaps. */
  readonly dashes: string | null;
  /** The marker. */
  readonly marker: MarkerShape;
  /** Whether the marker is filled; otherwise it is white inside. */
  readonly isFilled: boolean;
}

const SIZE = 5;

/**
 * A marker.
 *
 * @param x Its middle.
 * @param y Its middle.
 * @param style How it looks.
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
 * @returns Moves and lines.
 * @throws {RangeError} For a place that is none.
 */
export function path(points: readonly (readonly [number, number])[]): string {
  const round = (value: number) => {
    if (!Number.isFinite(value)) throw new RangeError(`Cannot draw a line to ${value}`);
    return Math.round(value * 100) / 100;
  };
  return points.map(([x, y], n) => `${n === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}
