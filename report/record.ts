// What JSON holds beside a command's own result: where it comes from, and no times where none are
// wanted.
import type { Page } from "./page.ts";

/** Names of fields that hold a measured time, or parts of them. */
const MEASURED = /(Ns|NsPerEntry|PerSecond)$|^(copyShare|ms|slowness|timeoutMs)$/;
/** Names of fields that say which of two things took less time, or from where on. */
const VERDICTS = /([cC]rossover\w*|[rR]atios?)$|^(faster|sortPays)$/;
/** Fields with such a name that were asked for, not measured. */
const ASKED = new Set(["intervalNs", "durationNs"]);
/** Fields of a figure of a comparison that hold times where it is one. */
const COMPARED = new Set(["value", "low", "high"]);
/** Of a longer array the first element tells whether there are times in it. */
const MANY = 1000;

/**
 * The object that is written as JSON for a result: the result with its `provenance` behind its
 * `kernel`, and with `null` for measured times if the page shows none. On the model no time decides
 * anything, so that what rests on times is `null` there in any case.
 *
 * @example
 * ```ts
 * import { recorded } from "./record.ts";
 * import { PLAIN_PAGE } from "./page.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const result = { schema: "dirtyring.x/1", kernel: {}, resetNs: 120, entries: 3 };
 * const text = JSON.stringify(recorded(result, { ...PLAIN_PAGE, times: false }));
 * assertEquals(text, '{"schema":"dirtyring.x/1","kernel":{},"resetNs":null,"entries":3}');
 * ```
 *
 * @param result Anything that JSON can hold; provenance is added to objects with a `schema`. One
 * that was made in a machine of `--kernel` has its own, which stays.
 * @param clocked Names of its fields that hold times by the clock of the run. The model's clock
 * counts instructions, so they stay unless no time is wanted at all.
 */
export function recorded(
  result: unknown,
  { times, clock, provenance }: Page,
  clocked: readonly string[] = [],
): unknown {
  if (!isObject(result)) return result;
  const shown = times
    ? isModel(result) ? withoutVerdicts(result) : result
    : withoutTimes(result, clock ? clocked : []);
  if (result["schema"] === undefined || !isObject(shown)) return shown;
  const { schema, kernel, provenance: own, kernels, ...rest } = shown;
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

function isModel({ kernel }: Readonly<Record<string, unknown>>): boolean {
  return isObject(kernel) && kernel["backend"] === "model";
}

/**
 * A result with `null` for what was measured in time. What holds no time is not copied.
 *
 * @param value Anything that JSON can hold. The elements of an array are all alike.
 * @param kept Names of fields that stay as they are.
 */
export function withoutTimes(value: unknown, kept: readonly string[] = []): unknown {
  return without(value, (name, of) => {
    if (kept.includes(name)) return "kept";
    return isMeasured(name, of) || isVerdict(name, of) ? "null" : "searched";
  });
}

// A result of the model that shows times, but nothing that rests on them.
function withoutVerdicts(value: unknown): unknown {
  return without(value, (name, of) => isVerdict(name, of) ? "null" : "searched");
}

/** What becomes of a field: as it is, `null`, or what is found in it. */
type Fate = "kept" | "null" | "searched";

function without(value: unknown, fateOf: (name: string, of: object) => Fate): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) {
    const first: unknown = value[0];
    if (value.length > MANY && without(first, fateOf) === first) return value;
    const shown = value.map((one) => without(one, fateOf));
    return shown.every((one, n) => one === value[n]) ? value : shown;
  }
  let changed = false;
  const fields = Object.entries(value).map(([name, inner]) => {
    const shown = become(inner, fateOf(name, value), fateOf);
    changed ||= shown !== inner;
    return [name, shown];
  });
  return changed ? Object.fromEntries(fields) : value;
}

function become(inner: unknown, fate: Fate, fateOf: Parameters<typeof without>[1]): unknown {
  switch (fate) {
    case "kept":
      return inner;
    case "null":
      return null;
    case "searched":
      return without(inner, fateOf);
  }
}

// The time of `provenance` has names that are others' elsewhere.
function isMeasured(name: string, of: object): boolean {
  return MEASURED.test(name) && !ASKED.has(name) || name === "time" && "commandLine" in of ||
    COMPARED.has(name) && isComparedFigure(of) && of.repetitions !== null;
}

// The ratio of two counts rests on no time.
function isVerdict(name: string, of: object): boolean {
  return VERDICTS.test(name) && !(isComparedFigure(of) && of.repetitions === null);
}

// A count that is compared has no repetitions (commands/compare/compare_result.ts).
function isComparedFigure(of: object): of is { readonly repetitions: unknown } {
  return "value" in of && "repetitions" in of;
}
