import type { Kernel } from "../ffi/kernel.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import {
  perf_event_header,
  perf_event_mmap_page,
  perf_raw_sample,
  PERF_RECORD_SAMPLE,
} from "../ffi/perf.ts";
import { Mapping } from "./mapping.ts";
import { THIS_THREAD, type TraceField, Tracepoint } from "./tracepoint.ts";

/**
 * Room for 2048 events of KVM's dirty-ring tracepoints; an ordinary user may lock as much memory.
 */
const BUFFER_PAGES = 16;

/** The events that {@linkcode TraceSamples.take} took from the buffer. */
export interface TakenSamples<Name extends string> {
  /** The requested fields of each event, in order. */
  readonly samples: readonly Readonly<Record<Name, number>>[];
  /** Events lost because the buffer was full. When they happened is unknown. */
  readonly lost: number;
}

/**
 * Reads the events of one of KVM's tracepoints on the calling thread: perf_event_open(2) with
 * `PERF_SAMPLE_RAW`, and its buffer (`struct perf_event_mmap_page`). The kernel writes to the
 * buffer only while this thread is in a system call, so never at the same time as this class reads
 * it. When the buffer is full, new events are lost, but counted.
 */
export class TraceSamples<Name extends string> implements Disposable {
  readonly #resources: DisposableStack;
  readonly #event: Tracepoint;
  readonly #mapping: Mapping;
  readonly #fields: readonly (readonly [Name, TraceField])[];
  #accounted = 0;

  /**
   * Opens a tracepoint, disabled.
   *
   * @param name Its name, without `kvm:`.
   * @param fields The fields of its payload to read, all of them numbers.
   * @param pages Pages of the buffer: a power of two.
   * @throws {HostError} If tracefs, the tracepoint, a field or the permission is missing.
   * @throws {KernelError} If the kernel refuses for another reason.
   */
  constructor(
    kernel: Kernel,
    name: string,
    fields: readonly Name[],
    pages: number = BUFFER_PAGES,
  ) {
    using resources = new DisposableStack();
    const options = { sampled: true };
    this.#event = resources.use(Tracepoint.open(kernel, name, THIS_THREAD, options));
    this.#fields = fields.map((field) => [field, this.#event.field(field)]);
    const bytes = (1 + pages) * PAGE_SIZE;
    const what = `the buffer of kvm:${name}`;
    this.#mapping = resources.use(Mapping.shared(kernel, this.#event.fd, 0, bytes, what));
    this.#resources = resources.move();
  }

  /** Starts recording. */
  enable(): void {
    this.#event.enable();
  }

  /** Stops recording. */
  disable(): void {
    this.#event.disable();
  }

  /**
   * Empties the buffer.
   *
   * @returns Its events, and how many were lost since the last call.
   */
  take(): TakenSamples<Name> {
    const { bytes } = this.#mapping;
    const { at } = perf_event_mmap_page;
    const page = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE);
    const data = bytes.subarray(PAGE_SIZE);
    // Both are free-running. No other thread writes them, and the kernel does not write now.
    const head = Number(page.getBigUint64(at.data_head, true));
    let tail = Number(page.getBigUint64(at.data_tail, true));
    const samples: Record<Name, number>[] = [];
    while (tail < head) {
      const record = recordAt(data, tail);
      // Other records (PERF_RECORD_LOST) are skipped: lost events are derived from the event's
      // count.
      if (record.getUint32(perf_event_header.at.type, true) === PERF_RECORD_SAMPLE) {
        samples.push(this.#read(record));
      }
      tail += record.byteLength;
    }
    page.setBigUint64(at.data_tail, BigInt(head), true);
    const lost = this.#event.count - this.#accounted - samples.length;
    this.#accounted += samples.length + lost;
    return { samples, lost };
  }

  #read(record: DataView): Record<Name, number> {
    const values = this.#fields.map(([name, field]) => [name, numberAt(record, field)]);
    return Object.fromEntries(values); // its keys are those of #fields: all of Name
  }

  /** Unmaps the buffer and closes the event. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

// A copy of the record at a free-running index. The record may wrap to the buffer's beginning.
function recordAt(data: Uint8Array<ArrayBuffer>, index: number): DataView<ArrayBuffer> {
  const start = index % data.length;
  const at = start + perf_event_header.at.size; // records are aligned to 8 bytes: a header is in one piece
  const size = data[at]! + data[at + 1]! * 256;
  if (size < perf_event_header.size) throw new TypeError(`A perf record of ${size} bytes`);
  const record = new Uint8Array(size);
  const first = data.subarray(start, start + size);
  record.set(first);
  record.set(data.subarray(0, size - first.length), first.length);
  return new DataView(record.buffer);
}

function numberAt(record: DataView, { offset, size, signed }: TraceField): number {
  const at = perf_raw_sample.size + offset;
  switch (size) {
    case 1:
      return signed ? record.getInt8(at) : record.getUint8(at);
    case 2:
      return signed ? record.getInt16(at, true) : record.getUint16(at, true);
    case 4:
      return signed ? record.getInt32(at, true) : record.getUint32(at, true);
    default:
      return Number(signed ? record.getBigInt64(at, true) : record.getBigUint64(at, true));
  }
}
