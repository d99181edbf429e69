import type { Kernel } from "../ffi/kernel.ts";
import { struct } from "../ffi/struct.ts";
import { DEVICE } from "../kvm/system.ts";
import { readText } from "./read_file.ts";

/** Who may open `/dev/kvm`. */
export interface DeviceFacts {
  /** Its path. */
  readonly path: string;
  /** Type and permissions, as `ls -l` shows them. */
  readonly mode: string;
  /** The owner's name, or number where it has none. */
  readonly owner: string;
  /** The group's name, or number where it has none. */
  readonly group: string;
}

// The head of `struct statx` of <linux/stat.h>.
const statx = struct("statx", {
  stx_mask: "u32",
  stx_blksize: "u32",
  stx_attributes: "u64",
  stx_nlink: "u32",
  stx_uid: "u32",
  stx_gid: "u32",
  stx_mode: "u16",
});
const STATX_BYTES = 256;
/** More than the users and groups of any host. */
const MOST_NAMES = 1 << 24;

const TYPE_MASK = 0o170000;
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o020000, "c"],
  [0o060000, "b"],
  [0o040000, "d"],
  [0o100000, "-"],
  [0o010000, "p"],
  [0o140000, "s"],
]);

/**
 * Who may open `/dev/kvm`.
 *
 * @param kernel The kernel that answers.
 * @returns The facts, or `null` where there is no such file.
 */
export function deviceFacts(kernel: Kernel): DeviceFacts | null {
  const bytes = new Uint8Array(STATX_BYTES);
  if (kernel.statx(DEVICE, bytes) < 0) return null;
  const view = new DataView(bytes.buffer);
  return {
    path: DEVICE,
    mode: modeText(view.getUint16(statx.at.stx_mode, true)),
    owner: nameOf(kernel, "/etc/passwd", view.getUint32(statx.at.stx_uid, true)),
    group: nameOf(kernel, "/etc/group", view.getUint32(statx.at.stx_gid, true)),
  };
}

/**
 * A file's mode as `ls -l` shows it.
 *
 * @example
 * ```ts
 * import { modeText } from "./device.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modeText(0o020660), "crw-rw----");
 * ```
 *
 * @param mode `st_mode`.
 * @returns Ten letters.
 */
export function modeText(mode: number): string {
  let text = TYPES.get(mode & TYPE_MASK) ?? "?";
  for (let bit = 8; bit >= 0; bit--) {
    text += (mode >> bit) & 1 ? "xwr".charAt(bit % 3) : "-";
  }
  return text;
}

// The name in the first field of the line whose third field is the number.
function nameOf(kernel: Kernel, file: string, id: number): string {
  for (const line of (readText(kernel, file, MOST_NAMES) ?? "").split("\n")) {
    const [name, , number] = line.split(":");
    if (name !== undefined && number === `${id}`) return name;
  }
  return `${id}`;
}
