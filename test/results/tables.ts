// Schemas as tables for people: field, unit, meaning.
import { COMMON, type Schema, type Schemas } from "./schemas.ts";

/** A schema, and the file in which its references count. */
interface Found {
  readonly file: string;
  readonly schema: Schema;
}

/** What a schema's references lead to. */
interface Followed extends Found {
  /** The title of the first schema on the way that has one: it has a section of its own. */
  readonly title: string | undefined;
  /** The description of the first that has one. */
  readonly description: string;
  /** Whether the section begins with that description. */
  readonly isTold: boolean;
  /** The fields that stand beside a reference. */
  readonly added: Found | null;
}

/** The page says once what these are. */
const EVERYWHERE: readonly string[] = ["schema", "provenance"];

/** Writes the sections of docs/results.md that the schemas give. */
export class Tables {
  readonly #schemas: Schemas;

  /** Takes all schemas. */
  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  /**
   * A section: a heading, what the schema is of, and a table.
   *
   * @param name A schema, `"run-1"`, or a part of one, `"common-1#lab"`.
   * @param hashes The heading's marks.
   * @throws {Error} If there is no such schema, or it has no title or no description.
   */
  section(name: string, hashes: string): string {
    const [file = "", part] = name.split("#");
    const { title, description, ...found } = this.#follow(this.#at(file, part));
    if (title === undefined || description === "") {
      throw new Error(`${name} has no title or no description`);
    }
    const { oneOf } = found.schema;
    const table = oneOf === undefined ? this.#fields(found) : variants(oneOf);
    return `${hashes} ${title}\n\n${wrapped(linked(description))}\n\n${table}`;
  }

  /** All files, with a link to the section of each that has one. */
  index(): string {
    const files = Object.entries(this.#schemas).filter(([name]) => name !== COMMON);
    const rows = files.map(([name, { title = "", description = "" }]) => {
      const file = `[${name}.json](schemas/${name}.json)`;
      return [isResult(title) ? link(title) : title, file, linked(firstSentence(description))];
    });
    return table(["schema", "file", "of"], rows);
  }

  #at(file: string, part: string | undefined): Found {
    const whole = this.#schemas[file];
    const schema = part === undefined ? whole : whole?.$defs?.[part];
    if (schema === undefined) throw new Error(`No schema ${file}#${part}`);
    return { file, schema };
  }

  #fields(found: Found): string {
    const items = found.schema.items;
    const of = items === undefined ? found : { file: found.file, schema: items };
    return table(["field", "unit", "meaning"], [...this.#rows(of, "")]);
  }

  // A row for each field, and for the fields in it, unless those have a section of their own.
  *#rows({ file, schema }: Found, prefix: string): Generator<string[]> {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (property !== false && !EVERYWHERE.includes(prefix + name)) {
        yield* this.#field({ file, schema: property }, prefix + name);
      }
    }
  }

  *#field(found: Found, path: string): Generator<string[]> {
    const field = this.#follow(found);
    const { items } = field.schema;
    if (field.description === "") throw new Error(`${path} has no description`);
    const inner = items === undefined || field.title !== undefined
      ? field
      : this.#follow({ file: field.file, schema: items });
    const { title, schema, added } = inner;
    const meaning = field.isTold ? firstSentence(field.description) : field.description;
    const kind = items === undefined
      ? kindOf(schema)
      : title !== undefined || schema.properties !== undefined
      ? "list"
      : listOf(schema);
    const isNullable = found.schema.oneOf !== undefined;
    const seeAlso = title === undefined ? "" : ` See ${link(title)}.`;
    yield [
      `\`${path}\``,
      isNullable ? `${kind} or ${WORDS["null"]}` : kind,
      linked(meaning) + seeAlso,
    ];
    const below = items === undefined ? `${path}.` : `${path}[].`;
    if (title === undefined) yield* this.#rows(inner, below);
    if (added !== null) yield* this.#rows(added, below);
  }

  #follow({ file, schema }: Found): Followed {
    const [one, other] = schema.oneOf ?? [];
    const { $ref } = other?.type === "null" ? one! : schema;
    const { title, description = "" } = schema;
    if ($ref === undefined) {
      return { file, schema, title, description, isTold: title !== undefined, added: null };
    }
    const [target = "", part] = $ref.split("#/$defs/");
    const to = this.#follow(this.#at(target === "" ? file : target.replace(".json", ""), part));
    const added = schema.properties === undefined ? to.added : { file, schema };
    const first = { ...to, title: title ?? to.title, added };
    return description === "" ? first : { ...first, description, isTold: title !== undefined };
  }
}

function isResult(title: string): boolean {
  return title.startsWith("dirtyring.");
}

// Objects of which one field has a fixed value, by which they are told apart.
function variants(all: readonly Schema[]): string {
  const rows = all.map(({ description = "", properties = {} }) => {
    const fields = Object.entries(properties).flatMap(([name, of]) =>
      of === false ? [] : [{ name, ...of }]
    );
    const fixed = fields.filter((one) => one.const !== undefined).map((one) => `\`${one.const}\``);
    const numbers = fields.filter((one) => one.const === undefined).map(({ name, items, ...of }) =>
      `\`${name}\` ${rangeOf(items ?? of)}`
    );
    return [fixed.join(), numbers.join(", "), description];
  });
  return table(["`do`", "its numbers", "what it does"], rows);
}

const TIMES = /^m?s$|^[nm]s\b/;

/** A time: its unit is one of time. */
export function isTime({ unit = "" }: Schema): boolean {
  return TIMES.test(unit);
}

// The unit of a number, or the type of what is none. That every time may be null is said once.
function kindOf(schema: Schema): string {
  const { type, unit = "number" } = schema;
  const types = [type ?? typeof schema.const].flat();
  const names = types.map((one) => ["number", "integer"].includes(one) ? unit : WORDS[one] ?? one);
  const shown = isTime(schema) ? names.filter((one) => one !== "`null`") : names;
  const range = rangeOf(schema);
  return shown.join(" or ") + (range === "" ? "" : `, ${range}`);
}

const WORDS: Readonly<Record<string, string>> = { array: "list", null: "`null`" };

// Units are in the plural already, but for the frames of a guest.
function listOf(schema: Schema): string {
  return `list of ${kindOf(schema).replace(/^(number|string|list|ratio)/, "$1s")}`;
}

function rangeOf({ minimum = 0, maximum }: Schema): string {
  if (maximum !== undefined) return `${numberText(minimum)} to ${numberText(maximum)}`;
  return minimum === 0 ? "" : `from ${numberText(minimum)}`;
}

function numberText(value: number): string {
  for (const less of [0, 1]) {
    const power = Math.round(Math.log2(value + less));
    if (power > 20 && 2 ** power - less === value) return `2^${power}${less === 0 ? "" : " − 1"}`;
  }
  return `${value}`.replace("-", "−");
}

function firstSentence(text: string): string {
  return /^.*?\.(?= |$)/s.exec(text)?.[0] ?? text;
}

// Descriptions are plain text; in Markdown the names of documents become links.
function linked(text: string): string {
  return text.replace(/\b(?:docs\/)?([a-z-]+\.md)\b/g, "[$1]($1)");
}

function link(title: string): string {
  const slug = title.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-");
  return `[${title}](#${slug})`;
}

const WIDTH = 118;

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "";
    }
    line += (line === "" ? "" : " ") + word;
  }
  return [...lines, line].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) =>
    `|${cells.map((cell) => cell === "---" ? cell : ` ${cell} `).join("|")}|`
  )
    .join("\n");
}
