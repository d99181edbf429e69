// Numbers of <linux/perf_event.h>, under its names.
import { io, iow } from "./ioctl.ts";

/** An event that a tracepoint of the kernel's makes; `config` is the tracepoint's id. */
export const PERF_TYPE_TRACEPOINT = 2;

/** A sample holds the tracepoint's payload. */
export const PERF_SAMPLE_RAW = 1 << 10;

/** The bit of `perf_event_attr.disabled`: the event waits for {@linkcode PERF_EVENT_IOC_ENABLE}. */
export const PERF_ATTR_DISABLED = 1;

/** A record of a sample. */
export const PERF_RECORD_SAMPLE = 9;

const TYPE = "$".charCodeAt(0);

/** Lets an event count, and sample. */
export const PERF_EVENT_IOC_ENABLE: number = io(TYPE, 0);
/** Stops an event; its count stays. */
export const PERF_EVENT_IOC_DISABLE: number = io(TYPE, 1);
/** Lets an event see only what a condition on the payload holds for: text that ends in NUL. */
export const PERF_EVENT_IOC_SET_FILTER: number = iow(TYPE, 6, 8);
