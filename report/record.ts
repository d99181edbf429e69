// What JSON holds beside a command's own result: where it comes from, and no times where none are
// wanted.
import type { Page } from "./page.ts";

/** Names of fields that hold a measured time, or what was computed from times. */
const MEASURED =
  /(Ns|NsPerEntry|PerSecond|[cC]rossover\w*|[rR]atios?)$|^(copyShare|faster|ms|slowness|sortPays|timeoutMs)$/;
/** Fields with such a name that were asked for, not measured. */
const ASKED = new Set(["intervalNs", "durationNs"]);
/** Of a longer array the first element tells whether there are times in it. */
const MANY = 1000;

/**
 * The object that is written as JSON for a result: the result with its `provenance` behind its
 * `kernel`, and with `null` for measured times if the page shows none.
 *
 * @example
 * ```ts
 * import { recorded } from "./record.ts";
 * import { PLAIN_PAGE } from "./page.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const result = { schema: "dirtyring.x/1", kernel: {}, resetNs: 120, entries: 3 };
 * const page = { ...PLAIN_PAGE, times: false };
 * assertEquals(recorded(result, page), { schema: "dirtyring.x/1", kernel: {}, resetNs: null, entries: 3 });
 * ```
 *
 * @param result Anything that JSON can hold; provenance is added to objects with a `schema`. One
 * that was made in a machine of `--kernel` has its own, which stays.
 */
export function recorded(result: unknown, { times, provenance }: Page): unknown {
  if (!isObject(result)) return result;
  const { schema, kernel, provenance: own, kernels, ...rest } = times
    ? result
    : withoutTimes(result) as Readonly<Record<string, unknown>>; // an object stays one
  if (schema === undefined) return times ? result : withoutTimes(result);
  const from = provenance === null ? undefined : own ?? provenance;
  const asked = provenance === null && Array.isArray(kernels) ? kernels.map(anonymous) : kernels;
  // JSON leaves out what is undefined.
  return { schema, kernel, provenance: from, kernels: asked, ...rest };
}

// What one of several kernels answered, without where that comes from.
function anonymous(run: unknown): unknown {
  if (!isObject(run) || !isObject(run["report"])) return run;
  return { ...run, report: { ...run["report"], provenance: undefined } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A result with `null` for what was measured in time. What holds no time is not copied.
 *
 * @param value Anything that JSON can hold. The elements of an array are all alike.
 */
export function withoutTimes(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) {
    const first: unknown = value[0];
    if (value.length > MANY && withoutTimes(first) === first) return value;
    const shown = value.map(withoutTimes);
    return shown.every((one, n) => one === value[n]) ? value : shown;
  }
  let changed = false;
  const fields = Object.entries(value).map(([name, inner]) => {
    const shown = isMeasured(name, value) ? null : withoutTimes(inner);
    changed ||= shown !== inner;
    return [name, shown];
  });
  return changed ? Object.fromEntries(fields) : value;
}

// The time of `provenance` has names that are others' elsewhere.
function isMeasured(name: string, of: object): boolean {
  return MEASURED.test(name) && !ASKED.has(name) || name === "time" && "commandLine" in of;
}
