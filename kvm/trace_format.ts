import { ERRNO, errnoText } from "../ffi/errno.ts";
import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";

/** Where tracefs is mounted; the older place is a part of debugfs. */
const TRACEFS = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] as const;
/** Many times what such a file holds. */
const FORMAT_BYTES = 1 << 14;

/** A field of a tracepoint's payload. */
export interface TraceField {
  /** Bytes from the payload's beginning. */
  readonly offset: number;
  /** Its bytes: 1, 2, 4 or 8 for a number. */
  readonly size: number;
  /** Whether the number is signed. */
  readonly signed: boolean;
}

/** What the kernel says about a tracepoint: the file `format` of its folder in tracefs. */
export interface TraceFormat {
  /** Its name, without `kvm:`. */
  readonly name: string;
  /** Its number, which another boot may change. */
  readonly id: number;
  /** The fields of its payload, by name. */
  readonly fields: ReadonlyMap<string, TraceField>;
}

/**
 * Finds one of KVM's tracepoints in tracefs.
 *
 * @param kernel The kernel that answers.
 * @param name Its name: `kvm_dirty_ring_push`.
 * @returns Its number, and where its fields are.
 * @throws {HostError} Where tracefs is not mounted or not to be read, or the kernel has no such tracepoint.
 * @throws {KernelError} Where it cannot be read for another reason, such as EMFILE.
 */
export function traceFormat(kernel: Kernel, name: string): TraceFormat {
  const answers = TRACEFS.map((root) => {
    const path = `${root}/events/kvm/${name}/format`;
    return { path, text: readText(kernel, path) };
  });
  for (const { path, text } of answers) {
    if (typeof text !== "number") return parseTraceFormat(name, text, path);
  }
  throw unreadable(kernel, answers[0]!.path, Number(answers[0]!.text));
}

// An errno, positive, where it cannot be opened.
function readText(kernel: Kernel, path: string): string | number {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -fd;
  try {
    const bytes = new Uint8Array(FORMAT_BYTES);
    let size = 0;
    for (;;) {
      const got = checked(kernel.read(fd, bytes.subarray(size)), () => `read(${path})`);
      if (got === 0) return new TextDecoder().decode(bytes.subarray(0, size));
      size += got;
    }
  } finally {
    kernel.close(fd);
  }
}

function unreadable(kernel: Kernel, path: string, errno: number): Error {
  if (errno === ERRNO.EACCES || errno === ERRNO.EPERM) {
    return new HostError(
      `open(${path}): ${errnoText(errno)}`,
      "run as root, or let this user read tracefs",
    );
  }
  if (errno !== ERRNO.ENOENT) return new KernelError(`open(${path})`, -errno);
  if (TRACEFS.every((root) => !exists(kernel, `${root}/events`))) {
    return new HostError(
      `tracefs is not mounted: there is no ${TRACEFS[0]}/events`,
      `mount it as root (mount -t tracefs tracefs ${TRACEFS[0]})`,
    );
  }
  return new HostError(
    `open(${path}): ${errnoText(errno)}`,
    "load KVM, or boot Linux 5.11 or newer with KVM's tracepoints (CONFIG_EVENT_TRACING)",
  );
}

function exists(kernel: Kernel, path: string): boolean {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  kernel.close(fd);
  return true;
}

/**
 * Reads a tracepoint's `format` file.
 *
 * @example
 * ```ts
 * import { parseTraceFormat } from "./trace_format.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = "name: kvm_dirty_ring_exit\nID: 28\nformat:\n" +
 *   "\tfield:int vcpu_id;\toffset:8;\tsize:4;\tsigned:1;\n";
 * const { id, fields } = parseTraceFormat("kvm_dirty_ring_exit", text, "format");
 * assertEquals([id, fields.get("vcpu_id")], [28, { offset: 8, size: 4, signed: true }]);
 * ```
 *
 * @param name The tracepoint's name.
 * @param text The file's text.
 * @param path The file, for the error.
 * @returns Its number, and where its fields are.
 * @throws {HostError} Where the text is no such file's.
 */
export function parseTraceFormat(name: string, text: string, path: string): TraceFormat {
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  if (id === undefined) {
    throw new HostError(`${path}: no line "ID: NUMBER"`, "look at what is mounted there");
  }
  const fields = new Map<string, TraceField>();
  const line = /^\tfield:[^;]*?(\w+)(?:\[\w*\])?;\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);/gm;
  for (const [, field, offset, size, signed] of text.matchAll(line)) {
    fields.set(field!, { offset: Number(offset), size: Number(size), signed: signed === "1" });
  }
  return { name, id: Number(id), fields };
}
