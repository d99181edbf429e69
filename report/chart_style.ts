import { element } from "./svg_element.ts";

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
 * @returns An element.
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
 * @param points The points.
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
