/** A C scalar of fixed width. */
export type Scalar = "u8" | "u16" | "u32" | "u64";

/** A field's type: a scalar, a struct, or an array of either. */
export type FieldType = Scalar | Struct | readonly [Scalar | Struct, number];

/** A C struct's layout, computed with the rules of the x86-64 System V ABI. */
export interface Struct<Names extends string = string> {
  /** The struct's name in the kernel's headers. */
  readonly name: string;
  /** `sizeof`, in bytes. */
  readonly size: number;
  /** Alignment in bytes. */
  readonly align: number;
  /** `offsetof` each field, in bytes. */
  readonly at: Readonly<Record<Names, number>>;
}

const SCALAR_BYTES: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

function measure(type: FieldType): { size: number; align: number } {
  if (typeof type === "string") return { size: SCALAR_BYTES[type], align: SCALAR_BYTES[type] };
  if (!isArray(type)) return { size: type.size, align: type.align };
  const { size, align } = measure(type[0]);
  return { size: size * type[1], align };
}

// Array.isArray() does not narrow a readonly tuple out of a union.
function isArray(type: FieldType): type is readonly [Scalar | Struct, number] {
  return Array.isArray(type);
}

function roundUp(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

/**
 * Lays out a C struct.
 *
 * @example
 * ```ts
 * import { struct } from "./struct.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const gfn = struct("kvm_dirty_gfn", { flags: "u32", slot: "u32", offset: "u64" });
 * assertEquals([gfn.size, gfn.at.slot, gfn.at.offset], [16, 4, 8]);
 * ```
 *
 * @param name The struct's name in the kernel's headers.
 * @param fields Its fields in order, with their types.
 * @returns Size, alignment and offsets.
 */
export function struct<Names extends string>(
  name: string,
  fields: Readonly<Record<Names, FieldType>>,
): Struct<Names> {
  const at: Partial<Record<Names, number>> = {};
  let end = 0;
  let align = 1;
  for (const field in fields) {
    const type = measure(fields[field]);
    end = roundUp(end, type.align);
    at[field] = end;
    end += type.size;
    align = Math.max(align, type.align);
  }
  // Every name of `fields` was visited above, so the record is no longer partial.
  return { name, size: roundUp(end, align), align, at: at as Record<Names, number> };
}
