// Reads values of JSON that came from outside, field by field.
import { UsageError } from "../../host/errors.ts";
import { cut, printable, quoted } from "../../text/printable.ts";

/** The most characters of a wrong value that an error shows. */
const SHOWN = 60;

/**
 * A value of JSON that came from outside, with its place. Each method reads it as what it must be.
 *
 * @example
 * ```ts
 * import { Foreign } from "./foreign.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const result = new Foreign("a.json", { cells: [{ medianNs: "x" }] });
 * const [cell] = result.at("cells").list();
 * assertEquals(cell!.at("rearmNs").isMissing, true);
 * const what = 'a.json: cells[0].medianNs is "x"; expected a number';
 * assertThrows(() => cell!.at("medianNs").number(), Error, what);
 * ```
 */
export class Foreign {
  readonly #file: string;
  readonly #path: string;
  readonly #value: unknown;

  /**
   * Wraps a value.
   *
   * @param file The file that it came from, for errors.
   * @param path Where in the file: `cells[0].medianNs`; empty for all of it.
   */
  constructor(file: string, value: unknown, path = "") {
    this.#file = file;
    this.#value = value;
    this.#path = path;
  }

  /** Whether there is no such field. */
  get isMissing(): boolean {
    return this.#value === undefined;
  }

  /** Whether it is `null`. */
  get isNull(): boolean {
    return this.#value === null;
  }

  /**
   * A field of an object.
   *
   * @returns The field, which may be missing.
   * @throws {UsageError} If this is no object.
   */
  at(name: string): Foreign {
    const value = this.#object();
    const own = Object.hasOwn(value, name) ? value[name] : undefined;
    return this.#inner(own, this.#path === "" ? name : `${this.#path}.${name}`);
  }

  /**
   * The fields of an object, by name.
   *
   * @throws {UsageError} If this is no object.
   */
  fields(): [string, Foreign][] {
    return Object.keys(this.#object()).map((name) => [name, this.at(name)]);
  }

  /**
   * The elements of a list.
   *
   * @throws {UsageError} If this is no list.
   */
  list(): Foreign[] {
    if (!Array.isArray(this.#value)) throw this.wrong("a list");
    return this.#value.map((one, n) => this.#inner(one, `${this.#path}[${n}]`));
  }

  /**
   * A text.
   *
   * @throws {UsageError} If this is none.
   */
  text(): string {
    if (typeof this.#value === "string") return this.#value;
    throw this.wrong("a text");
  }

  /**
   * One of some words.
   *
   * @throws {UsageError} If this is none of them.
   */
  word<const Word extends string>(...words: readonly Word[]): Word {
    const word = words.find((one) => one === this.#value);
    if (word !== undefined) return word;
    throw this.wrong(words.join(" or "));
  }

  /**
   * A finite number.
   *
   * @throws {UsageError} If this is none.
   */
  number(): number {
    if (typeof this.#value === "number" && Number.isFinite(this.#value)) return this.#value;
    throw this.wrong("a number");
  }

  /**
   * A list of numbers that are not negative.
   *
   * @throws {UsageError} If this is none.
   */
  amounts(): readonly number[] {
    return this.list().map((one) => one.amount());
  }

  /**
   * A number that is not negative.
   *
   * @throws {UsageError} If this is none.
   */
  amount(): number {
    const value = this.number();
    if (value >= 0) return value;
    throw this.wrong("0 or more");
  }

  /**
   * A boolean.
   *
   * @throws {UsageError} If this is none.
   */
  flag(): boolean {
    if (typeof this.#value === "boolean") return this.#value;
    throw this.wrong("true or false");
  }

  /**
   * A value that may be `null`.
   *
   * @param read Reads it if it is not.
   */
  orNull<Value>(read: (value: Foreign) => Value): Value | null {
    return this.isNull ? null : read(this);
  }

  /**
   * A value that may be missing.
   *
   * @param read Reads it if it is not; `null` counts as missing.
   */
  ifThere<Value>(read: (value: Foreign) => Value): Value | null {
    return this.isMissing || this.isNull ? null : read(this);
  }

  /** Its text as JSON, cut if it is long. */
  shown(most = SHOWN): string {
    if (typeof this.#value === "string") return quoted(this.#value, most);
    if (Array.isArray(this.#value)) return "a list";
    if (typeof this.#value === "object" && this.#value !== null) return "an object";
    return printable(`${this.#value}`, most);
  }

  /**
   * An error for a value that is not what it must be.
   *
   * @param expected What it must be, in words.
   */
  wrong(expected: string): UsageError {
    const what = this.#path === "" ? "the result" : cut(this.#path, SHOWN);
    const is = this.isMissing ? "is missing" : `is ${this.shown()}`;
    return new UsageError(`${this.#file}: ${printable(what)} ${is}; expected ${expected}`);
  }

  #object(): Readonly<Record<string, unknown>> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.wrong("an object");
    }
    return value as Readonly<Record<string, unknown>>; // any object is
  }

  #inner(value: unknown, path: string): Foreign {
    return new Foreign(this.#file, value, path);
  }
}
