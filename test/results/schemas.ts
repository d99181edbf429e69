// The schemas of docs/schemas: reading them, and validating results against them.
import { Ajv2020, type ValidateFunction } from "../support/ajv.ts";

/** The folder of the schemas. */
export const FOLDER: URL = new URL("../../docs/schemas/", import.meta.url);

/** The keywords that the schemas use. `unit` is an annotation of ours. */
export interface Schema {
  readonly $schema?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly (string | null)[];
  readonly const?: string | boolean;
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  /** `false` is for a field that must not be there. */
  readonly properties?: Readonly<Record<string, Schema | false>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

/** All schemas by the names of their files without the ending, such as `"run-1"`. */
export type Schemas = Readonly<Record<string, Schema>>;

/** The file of all that several results share. */
export const COMMON = "common-1";

/** Reads all schemas, in the order of their names. */
export async function readSchemas(): Promise<Schemas> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name.endsWith(".json")) names.push(name);
  }
  const read = async (name: string): Promise<[string, Schema]> => [
    name.replace(/\.json$/, ""),
    JSON.parse(await Deno.readTextFile(new URL(name, FOLDER))),
  ];
  return Object.fromEntries(await Promise.all(names.toSorted().map(read)));
}

/** Validates values against schemas. */
export class Validator {
  // Schemas have no $id, so that references between files hold wherever the folder lies. In strict
  // mode a keyword that JSON Schema does not know is an error.
  readonly #ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });

  /** Takes all schemas of the folder. */
  constructor(schemas: Schemas) {
    this.#ajv.addKeyword({ keyword: "unit", schemaType: "string" });
    for (const [name, schema] of Object.entries(schemas)) {
      this.#ajv.addSchema(schema, new URL(`${name}.json`, FOLDER).href);
    }
  }

  /**
   * Whether each schema is one of JSON Schema 2020-12, and all its references lead somewhere.
   *
   * @throws {Error} If not; it says what is wrong.
   */
  compile(name: string): ValidateFunction {
    const [file, part] = name.split("#");
    const at = new URL(`${file}.json`, FOLDER).href;
    const found = this.#ajv.getSchema(part === undefined ? at : `${at}#/$defs/${part}`);
    if (found === undefined) throw new Error(`No schema ${name}`);
    return found;
  }

  /**
   * What a schema says against a value.
   *
   * @param name The schema's name, `"run-1"`, or that of a part, `"check-1#lastLine"`.
   * @returns The first thing that does not fit, with its place; `null` if all does.
   */
  problem(name: string, value: unknown): string | null {
    const validate = this.compile(name);
    if (validate(value)) return null;
    const [first] = validate.errors ?? [];
    return `${first?.instancePath}: ${first?.message} ${JSON.stringify(first?.params)}`;
  }
}

/**
 * The file of the schema that a result names.
 *
 * @returns `"run-1"` for a result with the schema `"dirtyring.run/1"`.
 */
export function schemaOf(result: { readonly schema: string }): string {
  return result.schema.replace(/^dirtyring\./, "").replace("/", "-");
}
