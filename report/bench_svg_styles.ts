import type { CostCell } from "../sweeps/bench_cost.ts";
import type { LineStyle } from "./chart_style.ts";

const RING = "#0b3d91";
const BITMAP = "#9a3412";

/** How plain entries look, in every picture. */
export const PLAIN_STYLE: LineStyle = {
  colour: RING,
  dashes: null,
  marker: "circle",
  isFilled: true,
};

/** How sorted entries look. */
export const SORTED_STYLE: LineStyle = {
  colour: RING,
  dashes: "9 5",
  marker: "circle",
  isFilled: false,
};

/** How a part of a line's time looks, or another thing beside it. */
export const PART_STYLE: LineStyle = {
  colour: "#555",
  dashes: "2 4",
  marker: "triangle",
  isFilled: false,
};

/** The ways of tracking dirty pages: what they are called and how they look. */
export const TRACKING_STYLES: readonly (
  & Pick<CostCell, "tracking" | "sorted">
  & { readonly name: string; readonly style: LineStyle }
)[] = [
  { tracking: "ring", sorted: false, name: "ring: harvest + reset", style: PLAIN_STYLE },
  { tracking: "ring", sorted: true, name: "ring, sorted before marking", style: SORTED_STYLE },
  {
    tracking: "bitmap",
    sorted: false,
    name: "bitmap: get",
    style: { colour: BITMAP, dashes: null, marker: "square", isFilled: true },
  },
  {
    tracking: "bitmap-manual",
    sorted: false,
    name: "bitmap: get + clear",
    style: { colour: BITMAP, dashes: "3 4", marker: "square", isFilled: false },
  },
];
