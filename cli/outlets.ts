// Where a result goes: standard output, files, or both, each in a format of its own.
import { KernelError } from "../ffi/errors.ts";
import { EXIT, UsageError } from "../host/errors.ts";
import type { Provenance } from "../host/provenance.ts";
import { type Page, PLAIN } from "../report/page.ts";
import type { Context, Outlet } from "./context.ts";
import type { OutputFile } from "./output_file.ts";
import { type OutputChoice, type Place, places } from "./output_places.ts";

/** The formats whose pages show where a result comes from. */
const JSON_FORMATS: readonly string[] = ["json", "ndjson"];

/** The outcome of a command. */
export interface Outcome {
  /** The result in the chosen format: lines with their line ends. */
  readonly output: Iterable<string>;
  /** The exit status. */
  readonly status: number;
}

/** The outlets of one command. */
export class Outlets {
  /** The outlets, in the order of the command line. */
  readonly list: readonly Outlet[];
  readonly #files: ReadonlyMap<Outlet, OutputFile>;
  readonly #context: Context;
  readonly #isTimed: boolean | null;
  readonly #dress: Dress | null;
  /** Whether the kernel that was opened is a model; `null` before. */
  #isModel: boolean | null;

  private constructor(
    all: readonly (Place & { readonly file: OutputFile | null })[],
    values: Readonly<Record<string, unknown>>,
    context: Context,
    dress: Dress | null,
  ) {
    this.#context = context;
    this.#dress = dress;
    this.#isTimed = values["no-times"] === true ? false : values["times"] === true ? true : null;
    this.#isModel = values["backend"] === "model" ? true : null;
    const files = new Map<Outlet, OutputFile>();
    this.list = all.map(({ file, ...place }) => {
      const outlet = file === null ? this.#standardOutput(place) : this.#toFile(place, file);
      if (file !== null) files.set(outlet, file);
      return outlet;
    });
    this.#files = files;
  }

  /**
   * Opens the outlets that a command line asks for, before the command does anything.
   *
   * @param values The values of its options.
   * @param formats The command's formats.
   * @param command Its name, for errors.
   * @throws {UsageError} If a file cannot be written, or the command has no such format.
   * @throws {KernelError} If there is no room for a file.
   */
  static async open(
    values: Readonly<Record<string, unknown>>,
    formats: readonly string[],
    command: string,
    context: Context,
  ): Promise<Outlets> {
    const asked = {
      outputs: (values["output"] ?? []) as readonly OutputChoice[], // as its option parses it
      format: `${values["format"]}`,
      isFormatGiven: context.given.has("format"),
      command,
      formats,
    };
    const all = [];
    for (const place of places(asked)) {
      all.push({ ...place, file: place.path === "-" ? null : await prepare(place.path) });
    }
    return new Outlets(all, values, context, await dressFor(context));
  }

  /** The context for the command. */
  get context(): Context {
    const context = this.#context;
    const isShown = this.list.some((outlet) => !this.#files.has(outlet));
    return {
      ...context,
      outlets: this.list,
      terminal: isShown ? context.terminal : null,
      openKernel: async (selection) => {
        const kernel = await context.openKernel(selection);
        this.#isModel = kernel.backend === "model";
        return kernel;
      },
    };
  }

  /** Whether one of them is JSON, which tells where a result comes from. */
  get holdsJson(): boolean {
    return this.list.some(({ format }) => JSON_FORMATS.includes(format));
  }

  /** The page of an outlet for the whole result. */
  pageOf({ page, format }: Outlet, provenance: Provenance | null): Page {
    return JSON_FORMATS.includes(format) ? { ...page, provenance } : page;
  }

  /**
   * Completes the outlets.
   *
   * @param texts The whole text of each, or the rest of it.
   * @param status The command's exit status.
   * @returns What standard output still gets, and the exit status: 3 at least where a file could
   * not be written. What it was to hold then goes to standard output.
   */
  async write(texts: ReadonlyMap<Outlet, Iterable<string>>, status: number): Promise<Outcome> {
    const rest: Iterable<string>[] = [];
    for (const [outlet, text] of texts) {
      const file = this.#files.get(outlet);
      if (file === undefined) {
        rest.push(this.#dressOf(outlet)?.(text) ?? text);
        continue;
      }
      file.add(text);
      try {
        await file.write();
      } catch (error) {
        if (!(error instanceof KernelError || error instanceof UsageError)) throw error;
        this.#context.note(`${error.message}; the result is on standard output instead`);
        rest.push([file.text]);
        status = Math.max(status, EXIT.KERNEL);
      }
    }
    return { output: joined(rest), status };
  }

  #standardOutput(place: Place): Outlet {
    const { print, stream, page, terminal } = this.#context;
    const dress = this.#dressOf(place) ?? ((chunks) => chunks);
    return this.#outlet(
      place,
      () => ({ ...page, columns: terminal?.columns ?? null }),
      (chunks) => print(dress(chunks)),
      (chunks) => stream(dress(chunks)),
    );
  }

  #dressOf({ format }: Place): Dress | null {
    return format === "text" ? this.#dress : null;
  }

  #toFile(place: Place, file: OutputFile): Outlet {
    const add = (chunks: Iterable<string>) => file.add(chunks);
    const page = { ...this.#context.page, columns: null, ink: PLAIN };
    return this.#outlet(place, () => page, add, add);
  }

  #outlet(
    place: Place,
    page: () => Page,
    print: Outlet["print"],
    stream: Outlet["stream"],
  ): Outlet {
    const areTimesShown = () => this.#isTimed ?? this.#isModel !== true;
    const clock = this.#isTimed !== false;
    return {
      ...place,
      // Which kernel answers may be known only later, and a terminal may get another size.
      get page() {
        return { ...page(), times: areTimesShown(), clock };
      },
      print,
      stream,
    };
  }
}

/** Makes text for people fit the terminal, and colours its status words. */
type Dress = (text: Iterable<string>) => Iterable<string>;

// Loaded where there is a terminal, or colour.
async function dressFor({ terminal, page: { ink } }: Context): Promise<Dress | null> {
  if (terminal === null && ink === PLAIN) return null;
  const { fitted } = await import("../report/layout.ts");
  const { withStatusInk } = await import("../report/status_words.ts");
  const paint: Dress = ink === PLAIN ? (text) => text : (text) => withStatusInk(text, ink);
  return (text) => terminal === null ? paint(text) : fitted(paint(text), terminal.columns);
}

function* joined(parts: readonly Iterable<string>[]): Generator<string> {
  for (const part of parts) yield* part;
}

async function prepare(path: string): Promise<OutputFile> {
  const { OutputFile } = await import("./output_file.ts");
  return await OutputFile.prepare(path);
}
