/** Longer arrays are written element by element, because the length of a string is limited. */
const LONG = 1000;

/**
 * Formats a result as JSON, indented by two spaces, as `JSON.stringify` does. Long arrays come in
 * pieces, so a result with millions of entries never becomes a single string.
 *
 * @param result Anything that JSON can hold.
 * @returns Pieces of text; the last one is the line end.
 */
export function* jsonText(result: unknown): Generator<string> {
  yield* pieces(result, "\n");
  yield "\n";
}

// `newline` is a line end followed by the indentation of the next line.
function* pieces(value: unknown, newline: string): Generator<string> {
  if (!holdsLongArray(value)) {
    yield JSON.stringify(value, null, 2).replaceAll("\n", newline);
    return;
  }
  const isArray = Array.isArray(value);
  yield isArray ? "[" : "{";
  let separator = `${newline}  `;
  // Only an array or an object holds anything.
  for (const [key, inner] of Object.entries(value as object)) {
    if (inner === undefined) continue;
    yield isArray ? separator : `${separator}${JSON.stringify(key)}: `;
    yield* pieces(inner, `${newline}  `);
    separator = `,${newline}  `;
  }
  yield `${newline}${isArray ? "]" : "}"}`;
}

function holdsLongArray(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value) && value.length > LONG) return true;
  return Object.values(value).some(holdsLongArray);
}
