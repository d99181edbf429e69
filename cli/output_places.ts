// `--output`: in which files a result is wanted, and in which format each.
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import type { Option } from "./option.ts";

/** A value of `--output`. */
export interface OutputChoice {
  /** The format that it names; `null` if it names none. */
  readonly format: string | null;
  /** The file; `-` is standard output. */
  readonly path: string;
}

/** What may stand before a file's name and a colon. */
export const FORMATS: readonly string[] = [
  "text",
  "json",
  "ndjson",
  "csv",
  "ktap",
  "junit",
  "markdown",
  "svg",
];

/** The option that says where a result goes. */
export const outputOption: Option<readonly OutputChoice[]> = {
  value: "[FORMAT:]FILE",
  help:
    "write the result to FILE, whole or not at all, in FORMAT, in that of --format, or by the file's ending; " +
    "may be given several times; - is standard output",
  fallback: [],
  fallbackText: "standard output",
  isMany: true,
  completes: {
    words: FORMATS.map((format) => `${format}:`),
    path: "file",
    fileAfter: FORMATS.map((format) => `${format}:`),
  },
  file: (outputs) =>
    outputs.filter(({ path }) => path !== "-").map(({ path }) => ({ path, use: "write" })),
  parse(text) {
    const prefix = /^([a-z][a-z0-9]*):/.exec(text)?.[1] ?? null;
    const format = FORMATS.find((name) => name === prefix) ?? null;
    if (prefix !== null && format === null) {
      throw new SyntaxError(
        `${prefix} is no format; expected ${FORMATS.join(", ")}, or ./${
          printable(text)
        } for a file of ` +
          "that name",
      );
    }
    const path = format === null ? text : text.slice(format.length + 1);
    if (path !== "") return [{ format, path }];
    throw new SyntaxError("expected the name of a file, or FORMAT:FILE");
  },
};

/** The format that an ending of a file's name stands for. */
export const ENDINGS: Readonly<Record<string, string>> = {
  csv: "csv",
  json: "json",
  jsonl: "ndjson",
  ktap: "ktap",
  md: "markdown",
  ndjson: "ndjson",
  svg: "svg",
  tap: "ktap",
  txt: "text",
  xml: "junit",
};

/** A part of a command line that decides where its result goes. */
export interface Asked {
  /** The values of `--output`. */
  readonly outputs: readonly OutputChoice[];
  /** The value of `--format`. */
  readonly format: string;
  /** Whether `--format` was given. */
  readonly isFormatGiven: boolean;
  /** The command's name, for errors. */
  readonly command: string;
  /** The formats that it has. */
  readonly formats: readonly string[];
}

/** A place for a result: a file, or standard output where `path` is `-`. */
export interface Place {
  /** The format. */
  readonly format: string;
  /** The file as given. */
  readonly path: string;
}

/**
 * Decides the format of each output: the one that it names itself, otherwise that of `--format`,
 * otherwise the one that the file's ending stands for. Without `--output` the result goes to
 * standard output.
 *
 * @example
 * ```ts
 * import { places } from "./output_places.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const outputs = [{ format: null, path: "a.json" }, { format: "text", path: "-" }];
 * const formats = ["text", "json"];
 * const asked = { outputs, format: "text", isFormatGiven: false, command: "dump", formats };
 * assertEquals(places(asked), [{ format: "json", path: "a.json" }, { format: "text", path: "-" }]);
 * ```
 *
 * @throws {UsageError} If the command has no such format, or if two go to the same place.
 */
export function places(asked: Asked): Place[] {
  const { outputs, format, isFormatGiven } = asked;
  if (outputs.length === 0) return [{ format, path: "-" }];
  const found = outputs.map((output) => {
    const ending = /\.([a-z]+)$/i.exec(output.path)?.[1]?.toLowerCase() ?? "";
    const byEnding = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending]! : format;
    const chosen = output.format ?? (isFormatGiven ? format : byEnding);
    if (!asked.formats.includes(chosen)) throw noFormat(output, chosen, asked);
    return { format: chosen, path: output.path };
  });
  const paths = found.map(({ path }) => path);
  const twice = paths.find((path, n) => paths.indexOf(path) !== n);
  if (twice !== undefined) {
    throw new UsageError(`--output ${printable(twice)}: is given twice; expected different files`);
  }
  return found;
}

function noFormat(output: OutputChoice, chosen: string, { command, formats }: Asked): UsageError {
  const { format, path } = output;
  const what = format === null ? printable(path) : `${format}:${printable(path)}`;
  const named = format === null ? `, or a format before the name: ${formats[0]}:FILE` : "";
  return new UsageError(
    `--output ${what}: ${command} writes no ${chosen}; expected ${formats.join(", ")}${named}`,
  );
}
