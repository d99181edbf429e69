// What `dirtyring help TOPIC` tells: its parts, which help and the manual print each in their way.

/** A table of two columns: what is explained, and in what words. */
export interface Rows {
  /** What stands above it, if anything does. */
  readonly title?: string;
  /** The rows. */
  readonly rows: readonly (readonly [what: string, meaning: string])[];
}

/** A part of a topic: a paragraph, or a table. */
export type Part = string | Rows;

/** The content of a topic. */
export interface Topic {
  /** Its parts, in order. */
  readonly parts: readonly Part[];
}

/** What topics take from the declarations of commands and options. */
export interface TopicSources {
  /** The commands, each with the formats that it offers. */
  readonly commands: readonly { readonly name: string; readonly formats: readonly string[] }[];
  /** The formats that the endings of files stand for, by ending. */
  readonly endings: Readonly<Record<string, string>>;
  /** The options for the machine of `--kernel`, as help writes them. */
  readonly machine: Rows["rows"];
}
