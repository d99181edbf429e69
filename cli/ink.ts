// The colours, made with @std/fmt. Loaded where colour is wanted alone.
import { bold, cyan, dim, green, red, setColorEnabled, yellow } from "@std/fmt/colors";
import type { Ink } from "../report/page.ts";

/** Stands between the two sequences of a colour. */
const BETWEEN = "\0";

/**
 * Makes the ink of a terminal. Whether colour is wanted was decided before: what the library would
 * say of it, which is NO_COLOR alone, does not count.
 */
export function colouredInk(): Ink {
  enable();
  return {
    good: painter(green),
    bad: painter(red),
    warn: painter(yellow),
    bold: painter(bold),
    dim: painter(dim),
    bar: painter(cyan),
  };
}

// Asked once: what switches the library off later changes nothing.
function painter(paint: (text: string) => string): (text: string) => string {
  const [begin, end] = paint(BETWEEN).split(BETWEEN);
  return (text) => `${begin}${text}${end}`;
}

// The library cannot be switched on while Deno.noColor is true, though --color comes before it.
function enable(): void {
  const own = Object.getOwnPropertyDescriptor(Deno, "noColor");
  Object.defineProperty(Deno, "noColor", { value: false, configurable: true, enumerable: true });
  try {
    setColorEnabled(true);
  } finally {
    if (own !== undefined) Object.defineProperty(Deno, "noColor", own);
  }
}
