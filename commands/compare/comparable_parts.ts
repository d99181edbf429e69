// The parts of a result that are compared, and how figures are collected.
import { median } from "../../ring/distribution.ts";
import type { Better } from "./compare_result.ts";
import type { Foreign } from "./foreign.ts";

/** A statement that a result makes. */
export interface Statement {
  /** Its id, which no other statement of the result has. */
  readonly id: string;
  /** What it says, in a line. */
  readonly statement: string;
  /** Its status as a word: that of a check, or `pass` or `fail`; `null` for a mere fact. */
  readonly status: string | null;
  /** What was seen, or a remark; `null` if there is nothing to say. */
  readonly answer: string | null;
  /** Whether it was left out because an option was not given. */
  readonly withheld: boolean;
}

/** A figure of a result. */
export interface Figure {
  /** What it was measured for, in words. */
  readonly place: string;
  /** Its name, as docs/results.md has it. */
  readonly name: string;
  /** Which direction is better; `null` if neither is. */
  readonly better: Better | null;
  /** Whether it was measured, and so has a spread; otherwise it is a count. */
  readonly measured: boolean;
  /** The median of the samples, or the count: the mean, if there are several. */
  readonly value: number;
  /** The samples in measured order; empty for a count. */
  readonly samples: readonly number[];
}

/** What of a result is compared. */
export interface Parts {
  /** What must be the same for two results to be comparable, by the name of the field. */
  readonly options: Readonly<Record<string, string>>;
  /** The statements, in their order. */
  readonly statements: readonly Statement[];
  /** The figures, in their order. */
  readonly figures: readonly Figure[];
  /** Why the result is not whole, in words; `null` if it is. */
  readonly partial: string | null;
}

/** Names of fields that are counts, each with which direction is better. */
export type Counts = readonly (readonly [string, Better | null])[];

/** Counts of which neither direction is better. */
export function plain(...names: readonly string[]): Counts {
  return names.map((name) => [name, null] as const);
}

/** Collects the figures of a result. */
export class Figures {
  readonly #isModel: boolean;
  /** The figures so far. */
  readonly list: Figure[] = [];

  /**
   * Starts empty.
   *
   * @param isModel Whether the model answered, on which counts are the same each time.
   */
  constructor(isModel: boolean) {
    this.#isModel = isModel;
  }

  /** Adds a count that is the same each time on the same kernel. */
  count(place: string, name: string, value: number, better: Better | null = null): void {
    this.list.push({ place, name, better, measured: false, value, samples: [] });
  }

  /**
   * Adds fields of an object that are counts, and the same each time on the same kernel. One that
   * is `null` is left out, as is one that the object, which may be an older result's, lacks.
   */
  counts(place: string, of: Foreign, counts: Counts, prefix = ""): void {
    for (const [name, better] of counts) {
      const value = of.at(name).ifThere((count) => count.amount());
      if (value !== null) this.count(place, `${prefix}${name}`, value, better);
    }
  }

  /**
   * Adds such fields where they are the same each time on the model, and chance decides them on a
   * real kernel: how often a guest was met while it ran. There they are read, and not compared.
   */
  chances(place: string, of: Foreign, counts: Counts, prefix = ""): void {
    const found = new Figures(true);
    found.counts(place, of, counts, prefix);
    if (this.#isModel) this.list.push(...found.list);
  }

  /**
   * Adds a count that has samples, too. On a real kernel it depends on time, and they are compared;
   * on the model it is the same each time.
   */
  sampled(place: string, of: Foreign, name: string, better: Better | null = null): void {
    const value = of.at(name).ifThere((count) => count.amount());
    if (!this.#isModel) return this.measured(place, name, samplesOf(of, name), better);
    if (value !== null) this.count(place, name, value, better);
  }

  /** Adds what was measured; nothing without samples. */
  measured(
    place: string,
    name: string,
    samples: readonly number[] | null,
    better: Better | null,
  ): void {
    const value = median(samples ?? []);
    if (samples === null || value === null) return;
    this.list.push({ place, name, better, measured: true, value, samples });
  }

  /**
   * Adds counts that depend on time on a real kernel, and are the same each time on the model: there
   * their mean is a count, which tells of any of them.
   */
  varying(
    place: string,
    name: string,
    samples: readonly number[] | null,
    better: Better | null = null,
  ): void {
    if (!this.#isModel) return this.measured(place, name, samples, better);
    if (samples === null || samples.length === 0) return;
    const sum = samples.reduce((sum, one) => sum + one, 0);
    this.count(place, name, sum / samples.length, better);
  }
}

/** The samples of a result that has some; an older one has none. */
export function samplesOf(result: Foreign, name: string): readonly number[] | null {
  return result.at("samples").ifThere((samples) =>
    samples.at(name).ifThere((one) => one.amounts())
  );
}

/**
 * A time of each of some objects.
 *
 * @param count The field that each time is divided by; objects where that is 0 are left out. The
 * times are taken as they are unless given.
 * @returns The times; `null` if they were left out of the result, as those of a model are.
 */
export function timesOf(
  all: readonly Foreign[],
  name: string,
  count?: string,
): readonly number[] | null {
  const times: number[] = [];
  for (const one of all) {
    const time = one.at(name).orNull((time) => time.amount());
    if (time === null) return null;
    const by = count === undefined ? 1 : one.at(count).amount();
    if (by > 0) times.push(time / by);
  }
  return times;
}

/** The most characters of an option: a pattern may name a file. */
const OPTION = 400;

/** Reads the options that must be the same, in their order. */
export function optionsOf(
  result: Foreign,
  names: readonly string[],
  prefix = "",
): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [`${prefix}${name}`, result.at(name).shown(OPTION)]),
  );
}

/** The statement that all that a command checked holds. */
export function holds(result: Foreign): Statement {
  const ok = result.at("ok").flag();
  const problems = result.at("problems").ifThere((all) => all.list().map((one) => one.text())) ??
    [];
  const lost = result.at("lost").ifThere((lost) => lost.at("count").amount()) ?? 0;
  const error = result.at("error").ifThere((error) => error.text());
  const said = [
    ...(lost > 0 ? [`${lost} pages lost`] : []),
    ...problems,
    ...(error === null ? [] : [error]),
  ];
  return {
    id: "ok",
    statement: "all that was checked holds",
    status: ok && error === null ? "pass" : "fail",
    answer: said.length === 0 ? null : said.join("; "),
    withheld: false,
  };
}

/** Why a result is not whole: a signal, or a reader that went away; `null` if it is. */
export function cutShort(result: Foreign): string | null {
  const signal = result.at("interrupted").ifThere((one) => one.text());
  if (signal !== null) return `interrupted by ${signal}`;
  return result.at("closed").ifThere((closed) => closed.flag()) === true
    ? "its reader went away"
    : null;
}
