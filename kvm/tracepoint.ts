// KVM's tracepoints: counters for their events, and their descriptions in tracefs.
import { checked, ERRNO, errnoText, HostError, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import {
  PERF_ATTR_DISABLED,
  perf_event_attr,
  PERF_EVENT_IOC_DISABLE,
  PERF_EVENT_IOC_ENABLE,
  PERF_EVENT_IOC_SET_FILTER,
  PERF_SAMPLE_RAW,
  PERF_TYPE_TRACEPOINT,
} from "../ffi/perf.ts";

/** The calling thread, for {@linkcode Tracepoint.open}. */
export const THIS_THREAD = 0;

const COUNT_BYTES = 8;

/** Options of {@linkcode Tracepoint.open}. */
export interface TracepointOptions {
  /**
   * Count only events whose payload meets this condition, `index == 1`, as in tracefs' `filter`
   * files.
   */
  readonly filter?: string;
  /**
   * Also write each event's payload to a buffer, see `kvm/trace_samples.ts`. Such an event is
   * disabled first.
   */
  readonly sampled?: boolean;
}

// Advice for errnos of perf_event_open() that are caused by the host. Any other (EMFILE, ESRCH) is
// a plain failure.
const OPEN_ADVICE: ReadonlyMap<number, string> = new Map([
  [ERRNO.EACCES, "run as root, or with CAP_PERFMON"],
  [
    ERRNO.EPERM,
    "run as root; in a container or sandbox, let it call perf_event_open (CAP_PERFMON, and seccomp)",
  ],
  [ERRNO.ENOSYS, "boot a kernel with CONFIG_PERF_EVENTS; a sandbox may hide the call, too"],
  [ERRNO.ENOENT, "boot a kernel with CONFIG_PERF_EVENTS and CONFIG_EVENT_TRACING"],
]);

/**
 * Counts the events of one of KVM's tracepoints on one thread, exactly, on any processor:
 * perf_event_open(2) with `PERF_TYPE_TRACEPOINT`. Unless it is sampled, it counts from the moment
 * it is opened. It keeps its count when the thread ends.
 *
 * @example
 * ```ts ignore
 * import { openLibc } from "../ffi/libc.ts";
 * import { THIS_THREAD, Tracepoint } from "./tracepoint.ts";
 *
 * using pushes = Tracepoint.open(openLibc(), "kvm_dirty_ring_push", THIS_THREAD);
 * // ... run a vCPU on this thread ...
 * console.log(pushes.count);
 * ```
 */
export class Tracepoint implements Disposable {
  readonly #kernel: Kernel;
  #fd: number;
  /** The tracepoint. */
  readonly format: TraceFormat;

  private constructor(kernel: Kernel, fd: number, format: TraceFormat) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.format = format;
  }

  /**
   * Opens a tracepoint.
   *
   * @param name Its name, without `kvm:`.
   * @param tid The thread whose events count; {@linkcode THIS_THREAD} is the calling one.
   * @returns The counter; the caller disposes it.
   * @throws {HostError} If tracefs, the tracepoint or the permission is missing.
   * @throws {KernelError} If the kernel refuses for another reason: ESRCH if there is no such
   * thread.
   */
  static open(
    kernel: Kernel,
    name: string,
    tid: number,
    options: TracepointOptions = {},
  ): Tracepoint {
    const format = traceFormat(kernel, name);
    const fd = kernel.perfEventOpen(attributes(format.id, options.sampled === true), tid);
    if (fd < 0) throw refusal(name, tid, fd);
    const tracepoint = new Tracepoint(kernel, fd, format);
    try {
      if (options.filter !== undefined) tracepoint.#filter(options.filter);
      return tracepoint;
    } catch (error) {
      tracepoint[Symbol.dispose]();
      throw error;
    }
  }

  #filter(condition: string): void {
    // The request number declares an argument of 8 bytes: libc.ts refuses a shorter text.
    const text = new TextEncoder().encode(condition.padEnd(COUNT_BYTES) + "\0");
    checked(
      this.#kernel.ioctl(this.#fd, PERF_EVENT_IOC_SET_FILTER, text),
      () => `PERF_EVENT_IOC_SET_FILTER(kvm:${this.format.name}, ${condition})`,
    );
  }

  /**
   * Finds a field of the payload by name.
   *
   * @throws {HostError} If this kernel's tracepoint has no such field.
   */
  field(name: string): TraceField {
    const field = this.format.fields.get(name);
    if (field !== undefined) return field;
    throw new HostError(
      `kvm:${this.format.name} has no field ${name}, but ${
        [...this.format.fields.keys()].join(", ")
      }`,
      "boot a Linux whose tracepoint is that of 5.11 to 6.18",
    );
  }

  /** The file descriptor; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Events since it was opened, including those that did not fit into a buffer. Exact while the
   * thread does not run.
   *
   * @throws {KernelError} If the kernel fails the call, or cannot count the event (EIO).
   */
  get count(): number {
    const bytes = new Uint8Array(COUNT_BYTES);
    const call = () => `read(count of kvm:${this.format.name})`;
    const got = checked(this.#kernel.read(this.#fd, bytes), call);
    // perf answers with an end of file if it cannot count the event.
    if (got !== COUNT_BYTES) throw new KernelError(call(), -ERRNO.EIO);
    return Number(new DataView(bytes.buffer).getBigUint64(0, true));
  }

  /** Starts it: it counts and samples. */
  enable(): void {
    this.#control(PERF_EVENT_IOC_ENABLE, "PERF_EVENT_IOC_ENABLE");
  }

  /** Stops it; its count stays. */
  disable(): void {
    this.#control(PERF_EVENT_IOC_DISABLE, "PERF_EVENT_IOC_DISABLE");
  }

  #control(request: number, name: string): void {
    checked(
      this.#kernel.ioctl(this.#fd, request, 0),
      () => `${name}(kvm:${this.format.name})`,
    );
  }

  /** Closes it. A second call does nothing. */
  [Symbol.dispose](): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    checked(this.#kernel.close(fd), `close(${fd})`);
  }
}

function attributes(id: number, sampled: boolean): Uint8Array<ArrayBuffer> {
  const { at } = perf_event_attr;
  const view = new DataView(new ArrayBuffer(perf_event_attr.size));
  view.setUint32(at.type, PERF_TYPE_TRACEPOINT, true);
  view.setUint32(at.size, perf_event_attr.size, true);
  view.setBigUint64(at.config, BigInt(id), true);
  if (sampled) {
    view.setBigUint64(at.sample_period, 1n, true);
    view.setBigUint64(at.sample_type, BigInt(PERF_SAMPLE_RAW), true);
    view.setBigUint64(at.flags, BigInt(PERF_ATTR_DISABLED), true);
  }
  return new Uint8Array(view.buffer);
}

function refusal(name: string, tid: number, answer: number): Error {
  const thread = tid === THIS_THREAD ? "this thread" : `thread ${tid}`;
  const call = `perf_event_open(kvm:${name}, ${thread})`;
  const advice = OPEN_ADVICE.get(-answer);
  if (advice === undefined) return new KernelError(call, answer);
  return new HostError(`${call}: ${errnoText(-answer)}`, advice);
}

/** The mount points of tracefs; the older one is in debugfs. */
const TRACEFS = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] as const;
/** Much more than the length of a `format` file. */
const FORMAT_BYTES = 1 << 14;

/** A field of a tracepoint's payload. */
export interface TraceField {
  /** Bytes from the payload's beginning. */
  readonly offset: number;
  /** Its size in bytes: 1, 2, 4 or 8 for a number. */
  readonly size: number;
  /** Whether the number is signed. */
  readonly signed: boolean;
}

/** A tracepoint's description: the file `format` of its folder in tracefs. */
export interface TraceFormat {
  /** Its name, without `kvm:`. */
  readonly name: string;
  /** Its id, which may differ after a reboot. */
  readonly id: number;
  /** The fields of its payload, by name. */
  readonly fields: ReadonlyMap<string, TraceField>;
}

/**
 * Finds one of KVM's tracepoints in tracefs.
 *
 * @param name Its name, such as `kvm_dirty_ring_push`.
 * @throws {HostError} If tracefs is not mounted or not readable, or the kernel has no such
 * tracepoint.
 * @throws {KernelError} If it cannot be read for another reason, such as EMFILE.
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

// The text of a file, or a positive errno if it cannot be opened.
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
 * Parses the text of a tracepoint's `format` file.
 *
 * @example
 * ```ts
 * import { parseTraceFormat } from "./tracepoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = "name: kvm_dirty_ring_exit\nID: 28\nformat:\n" +
 *   "\tfield:int vcpu_id;\toffset:8;\tsize:4;\tsigned:1;\n";
 * const { id, fields } = parseTraceFormat("kvm_dirty_ring_exit", text, "format");
 * assertEquals([id, fields.get("vcpu_id")], [28, { offset: 8, size: 4, signed: true }]);
 * ```
 *
 * @param path The file's path, for an error.
 * @throws {HostError} If the text has no tracepoint id.
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
