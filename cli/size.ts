import type { Option } from "./option.ts";

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const ENTRY_BYTES = 16;
const PAGE_BYTES = 4096;
const MAX_RING_BYTES = 2 ** 32 - 1;

interface Size {
  readonly bytes: number;
  readonly hasUnit: boolean;
}

// A number with a unit, or a whole number without one; null where the text is neither.
function parseSize(text: string): Size | null {
  const parts = /^(\d+(?:\.\d+)?)\s*([a-z]+)?$/i.exec(text);
  if (parts === null) return null;
  const unit = parts[2]?.toLowerCase();
  const factor = unit === undefined ? 1 : UNITS[unit];
  const bytes = Number(parts[1]) * (factor ?? NaN);
  return Number.isSafeInteger(bytes) ? { bytes, hasUnit: unit !== undefined } : null;
}

/**
 * An option that takes an amount of memory.
 *
 * @param help What it means.
 * @param fallback Its default in bytes.
 * @param fallbackText The default as help shows it.
 * @returns The option; its value is in bytes, a positive multiple of the page size.
 */
export function memorySize(help: string, fallback: number, fallbackText: string): Option<number> {
  return {
    value: "SIZE",
    help,
    fallback,
    fallbackText,
    parse(text) {
      const bytes = parseSize(text)?.bytes ?? 0;
      if (bytes > 0 && bytes % PAGE_BYTES === 0) return bytes;
      throw new SyntaxError(
        `expected a size with a unit (64MiB, 2GiB), a multiple of ${PAGE_BYTES} bytes`,
      );
    },
  };
}

/**
 * An option that takes a ring's size: a number counts entries, a size with a unit bytes. The kernel
 * takes 32 bits of bytes, and a program that harvests needs whole entries: beyond that nothing is
 * judged here, but by the kernel.
 *
 * @param help What it means.
 * @param fallback Its default in entries.
 * @returns The option; its value is in bytes.
 */
export function ringSize(help: string, fallback: number): Option<number> {
  return {
    value: "N",
    help,
    fallback: fallback * ENTRY_BYTES,
    fallbackText: `${fallback}`,
    parse(text) {
      const size = parseSize(text);
      if (size === null || (!size.hasUnit && !/^\d+$/.test(text))) {
        throw new SyntaxError("expected a number of entries (4096), or bytes with a unit (64KiB)");
      }
      const bytes = size.hasUnit ? size.bytes : size.bytes * ENTRY_BYTES;
      if (bytes > MAX_RING_BYTES) {
        throw new SyntaxError(
          `that is ${bytes} bytes, and the kernel would look at the low 32 bits alone; expected ` +
            `at most ${MAX_RING_BYTES} bytes`,
        );
      }
      if (bytes % ENTRY_BYTES !== 0) {
        throw new SyntaxError(`expected whole entries: a multiple of ${ENTRY_BYTES} bytes`);
      }
      return bytes;
    },
  };
}
