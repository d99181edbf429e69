// The topics of `dirtyring help TOPIC`. Each is loaded when it is asked for.
import type { Topic, TopicSources } from "./topic.ts";

/** A topic, before it is loaded. */
export interface ListedTopic {
  /** What it is about, in a line. */
  readonly summary: string;
  /** Loads it. */
  load(sources: TopicSources): Promise<Topic>;
}

/** The topics by name, in the order of the overview. */
export const TOPICS: Readonly<Record<string, ListedTopic>> = {
  patterns: {
    summary: "the orders in which a guest's pages become dirty (--pattern)",
    load: async () => (await import("./patterns.ts")).patterns,
  },
  guests: {
    summary: "the programs that a virtual machine runs (--guest)",
    load: async () => (await import("./guests.ts")).guests,
  },
  backends: {
    summary: "a real kernel or the model of one (--backend, --model)",
    load: async () => (await import("./backends.ts")).backends,
  },
  kernels: {
    summary: "another kernel than this host's, in a machine of its own (--kernel)",
    load: async ({ machine }) => (await import("./kernels.ts")).kernels(machine),
  },
  formats: {
    summary: "text for people, and what programs read (--format, --output)",
    load: async (sources) => (await import("./formats.ts")).formats(sources),
  },
  statuses: {
    summary: "what the exit statuses mean, for git bisect run too",
    load: async () => (await import("./statuses.ts")).statuses,
  },
  glossary: {
    summary: "the words: dirty page, harvest, reset, batch, soft limit and so on",
    load: async () => (await import("./glossary.ts")).glossary,
  },
};

/** The names of the topics, in the order of the overview. */
export const TOPIC_NAMES: readonly string[] = Object.keys(TOPICS);
