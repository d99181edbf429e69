import type { Option } from "./option.ts";

/**
 * An option that takes globs, separated by commas.
 *
 * @param help What it means.
 * @param fallbackText What help says where it is not given.
 * @returns The option; no glob unless given.
 */
export function globs(help: string, fallbackText: string): Option<readonly string[]> {
  return {
    value: "GLOBS",
    help,
    fallback: [],
    fallbackText,
    parse(text) {
      const all = text.split(",").map((one) => one.trim()).filter((one) => one !== "");
      if (all.length > 0) return all;
      throw new SyntaxError("expected ids, or globs of ids, separated by commas (reset.*,mmap.*)");
    },
  };
}
