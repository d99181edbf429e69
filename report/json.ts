/**
 * A result as JSON, indented. `dirtyring` results hold nothing that JSON cannot.
 *
 * @param result The result.
 * @returns One line with its end, or as many as the indentation makes.
 */
export function* jsonText(result: unknown): Generator<string> {
  yield `${JSON.stringify(result, null, 2)}\n`;
}
