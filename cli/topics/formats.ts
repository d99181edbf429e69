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
  ["svg", "pictures"],
];

/**
 * `dirtyring help formats`
 *
 * @param sources The commands with their formats, and what endings of files stand for.
 */
export function formats({ commands, endings }: Pick<TopicSources, "commands" | "endings">): Topic {
  const having = (format: string) =>
    commands.filter(({ formats }) => formats.includes(format)).map(({ name }) => name);
  const all = commands.filter(({ formats }) => formats.length > 0).length;
  const rows = FORMAT_ROWS.flatMap(([format, what]): [string, string][] => {
    const names = having(format);
    if (names.length === 0) return [];
    return [[format, `${what} (${names.length === all ? "every command" : names.join(", ")})`]];
  });
  const ends = Object.entries(endings).map(([ending, format]) =>
    ending === format ? `.${ending}` : `.${ending} (${format})`
  );
  return {
    parts: [
      "--format is how a result is written. It goes to standard output, everything else to standard error.",
      { rows },
      "--output writes it to a file instead, whole or not at all. It may be given several times, each in a " +
      "format of its own: that which stands before the name (--output junit:result.xml), otherwise that of " +
      `--format, otherwise that of the ending: ${ends.join(", ")}. - is standard output.`,
      "docs/results.md describes each field of JSON. A name such as dirtyring.dump/1 keeps its meaning: " +
      "what would change it gets the next version. JSON tells where it comes from; with --no-provenance and " +
      "--no-times the same counts give the same text.",
    ],
  };
}
