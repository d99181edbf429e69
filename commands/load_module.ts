/**
 * Loads a part of the program when it is needed. Deno reads every file that an import names literally
 * before it runs a line, and a third of a millisecond each adds up; a name that is computed is only
 * resolved here, for which a program needs permission to read its own files.
 *
 * @param file The module, relative to this folder.
 * @returns Its namespace; the caller names the type that it knows.
 */
export function loadModule(file: string): Promise<unknown> {
  return import(new URL(file, import.meta.url).href);
}
