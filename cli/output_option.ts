import { type Option, parsePath } from "./option.ts";

/** The option of commands whose result can go to a file. */
export const outputOption: Option<string | undefined> = {
  value: "FILE",
  help: "write the result to FILE, whole or not at all",
  fallback: undefined,
  fallbackText: "standard output",
  file: (path) => path === undefined ? null : { path, use: "write" },
  parse: parsePath("file"),
};
