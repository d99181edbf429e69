// The topic of formats. Who offers which comes from the declarations of commands.
import type { Topic, TopicSources } from "./topic.ts";

/** The formats, each with what it is. */
export const FORMAT_ROWS: readonly (readonly [format: string, what: string])[] = [
  ["text", "for people: tables and sentences, as wide as the terminal"],
  ["json", "the whole result as one object, whose schema has a name and a version"],
  ["ndjson", "an object a line, printed as things happen"],
  ["csv", "a table for a spreadsheet"],
  ["ktap", "KTAP version 1, as the kernel's kunit.py parse reads it"],
  ["junit", "JUnit's XML, for a CI server"],
  ["markdown", "a table for a pull request"],
];

/**
 * `dirtyring help formats`
 *
 * @param commands The commands with their formats.
 */
export function formats(commands: TopicSources["commands"]): Topic {
  const having = (format: string) =>
    commands.filter(({ formats }) => formats.includes(format)).map(({ name }) => name);
  const all = commands.filter(({ formats }) => formats.length > 0).length;
  const rows = FORMAT_ROWS.flatMap(([format, what]): [string, string][] => {
    const names = having(format);
    if (names.length === 0) return [];
    return [[format, `${what} (${names.length === all ? "every command" : names.join(", ")})`]];
  });
  return {
    parts: [
      "--format is how a result is written. Results go to standard output, everything else to standard " +
      "error.",
      { rows },
      "docs/results.md describes each field. A name such as dirtyring.dump/1 keeps its meaning: what would " +
      "change it gets the next version.",
    ],
  };
}
