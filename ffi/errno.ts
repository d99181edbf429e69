import { ERRNO_TABLE } from "./errno_table.ts";

/** The name of an errno. */
export type ErrnoName = keyof typeof ERRNO_TABLE;

const TABLE: Readonly<Record<ErrnoName, readonly [number, string]>> = ERRNO_TABLE;

/** Errno numbers by name: `ERRNO.EINVAL` is 22. */
export const ERRNO: Readonly<Record<ErrnoName, number>> = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([name, [number]]) => [name, number])),
) as Record<ErrnoName, number>; // the entries of TABLE are its keys; TypeScript types them as string

// Few are ever named, and then once.
function known(errno: number): { readonly name: string; readonly text: string } | null {
  for (const [name, [number, text]] of Object.entries(TABLE)) {
    if (number === errno) return { name, text };
  }
  return null;
}

/**
 * An errno's name.
 *
 * @example
 * ```ts
 * import { errnoName } from "./errno.ts";
 * errnoName(22); // "EINVAL"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name, or `errno N` where Linux has no name for it.
 */
export function errnoName(errno: number): string {
  return known(errno)?.name ?? `errno ${errno}`;
}

/**
 * An errno in words.
 *
 * @example
 * ```ts
 * import { errnoText } from "./errno.ts";
 * errnoText(13); // "EACCES (permission denied)"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name and what it means.
 */
export function errnoText(errno: number): string {
  const found = known(errno);
  return found === null ? `errno ${errno}` : `${found.name} (${found.text})`;
}
