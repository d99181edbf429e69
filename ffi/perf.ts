// Numbers of <linux/perf_event.h>, under its names.
import { type Struct, struct } from "./kvm_structs.ts";
import { io, iow } from "./linux.ts";

/** The type of an event that a kernel tracepoint makes; `config` is the tracepoint's id. */
export const PERF_TYPE_TRACEPOINT = 2;

/** Samples contain the tracepoint's payload. */
export const PERF_SAMPLE_RAW = 1 << 10;

/** Bit `disabled` of `perf_event_attr`: the event starts with {@linkcode PERF_EVENT_IOC_ENABLE}. */
export const PERF_ATTR_DISABLED = 1;

/** The type of a record that is a sample. */
export const PERF_RECORD_SAMPLE = 9;

const TYPE = "$".charCodeAt(0);

/** Starts an event: it counts and samples. */
export const PERF_EVENT_IOC_ENABLE: number = io(TYPE, 0);
/** Stops an event; its count stays. */
export const PERF_EVENT_IOC_DISABLE: number = io(TYPE, 1);
/** Sets a condition on the payload, as text that ends in NUL; an event ignores all other hits. */
export const PERF_EVENT_IOC_SET_FILTER: number = iow(TYPE, 6, 8);

// The structs of <linux/perf_event.h> that this program uses. test/ffi/perf_test.ts compares their
// sizes and offsets with a C compiler's.

/**
 * `struct perf_event_attr` in its first published form, which every kernel accepts
 * (`PERF_ATTR_SIZE_VER0`). `flags` is the start of its bit field, in which
 * {@linkcode import("./perf.ts").PERF_ATTR_DISABLED} is a bit; `bp_addr` is the first member of a
 * union.
 */
export const perf_event_attr: Struct<
  | "type"
  | "size"
  | "config"
  | "sample_period"
  | "sample_type"
  | "read_format"
  | "flags"
  | "wakeup_events"
  | "bp_type"
  | "bp_addr"
> = struct("perf_event_attr", {
  type: "u32",
  size: "u32",
  config: "u64",
  sample_period: "u64",
  sample_type: "u64",
  read_format: "u64",
  flags: "u64",
  wakeup_events: "u32",
  bp_type: "u32",
  bp_addr: "u64",
});

/**
 * The head of `struct perf_event_mmap_page`, the first page of an event's mapping. It says where
 * the records are in the pages that follow. `data_head` and `data_tail` are free-running.
 */
export const perf_event_mmap_page: Struct<
  | "version"
  | "compat_version"
  | "lock"
  | "index"
  | "offset"
  | "time_enabled"
  | "time_running"
  | "capabilities"
  | "pmc_width"
  | "time_shift"
  | "time_mult"
  | "time_offset"
  | "time_zero"
  | "size"
  | "reserved"
  | "data_head"
  | "data_tail"
  | "data_offset"
  | "data_size"
> = struct("perf_event_mmap_page", {
  version: "u32",
  compat_version: "u32",
  lock: "u32",
  index: "u32",
  offset: "u64",
  time_enabled: "u64",
  time_running: "u64",
  capabilities: "u64",
  pmc_width: "u16",
  time_shift: "u16",
  time_mult: "u32",
  time_offset: "u64",
  time_zero: "u64",
  size: "u32",
  // The rest of the first KiB; fields that later kernels have added there are not used.
  reserved: ["u8", 948],
  data_head: "u64",
  data_tail: "u64",
  data_offset: "u64",
  data_size: "u64",
});

/** `struct perf_event_header`, the start of every record. */
export const perf_event_header: Struct<"type" | "misc" | "size"> = struct("perf_event_header", {
  type: "u32",
  misc: "u16",
  size: "u16",
});

/**
 * `PERF_RECORD_SAMPLE` of an event whose `sample_type` is `PERF_SAMPLE_RAW` alone: the payload
 * follows.
 */
export const perf_raw_sample: Struct<"header" | "size"> = struct("perf_raw_sample", {
  header: perf_event_header,
  size: "u32",
});
