// The files that a command line has written: no two of its options may name the same.
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import { filesOf, type OptionTable } from "./option.ts";

interface WrittenFile {
  /** The option's name, without dashes. */
  readonly option: string;
  /** The file as given. */
  readonly path: string;
}

/**
 * Refuses two options that name the same file, by whatever names: one would replace what the other
 * wrote.
 *
 * @param values The values of the options.
 * @throws {UsageError} If two do.
 */
export async function mustDiffer(
  options: OptionTable,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const files = Object.entries(options).flatMap(([option, declared]) =>
    filesOf(declared, values[option])
      .filter(({ use }) => use.startsWith("write"))
      .map(({ path }) => ({ option, path }))
  );
  const seen = new Map<string, WrittenFile>();
  for (const file of files) {
    const place = await placeOf(file.path);
    const before = seen.get(place);
    if (before !== undefined) {
      throw new UsageError(`${named(before)} and ${named(file)}: expected two different files`);
    }
    seen.set(place, file);
  }
}

function named({ option, path }: WrittenFile): string {
  return `--${option} ${printable(path)}`;
}

// Through links. Of a file that is not there yet the folder is looked at; where that is not there,
// either, or may not be read, what writes the file says so.
async function placeOf(path: string): Promise<string> {
  const real = (one: string) => Deno.realPath(one).catch(() => null);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const folder = path.slice(0, path.length - name.length) || ".";
  const place = await real(path);
  if (place !== null) return place;
  const above = await real(folder);
  return above === null ? path : `${above}/${name}`;
}
