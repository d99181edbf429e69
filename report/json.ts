/** Arrays longer than this are written element by element: a string has its limits. */
const LONG = 1000;

/**
 * A result as JSON, indented by two spaces, as `JSON.stringify` writes it. Long lists come in pieces, so
 * that a result of millions of entries needs no string of its whole size.
 *
 * @param result The result: what JSON can hold.
 * @returns Pieces of text, the last with the end of the line.
 */
export function* jsonText(result: unknown): Generator<string> {
  yield* pieces(result, "\n");
  yield "\n";
}

// `newline` is a line's end with the indentation of the next.
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
