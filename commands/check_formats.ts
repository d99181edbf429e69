import type { CheckList } from "../checks/check_list.ts";
import type { CheckReport } from "../checks/check_report.ts";
import type { KernelsReport } from "../checks/kernels_report.ts";
import type { Formatter, LateFormatter } from "../cli/command.ts";
import { json } from "../cli/formats.ts";

/** What `dirtyring check` comes to. */
export type CheckOutcome =
  | CheckReport
  | CheckList
  | KernelsReport;

type Format = Formatter<CheckOutcome, unknown>;

// A format of one schema: `run` refuses what comes out in another.
function of<Schema extends CheckOutcome["schema"]>(
  schema: Schema,
  format: (
    outcome: Extract<CheckOutcome, { schema: Schema }>,
    columns: number | null,
  ) => Iterable<string>,
): Format {
  return (outcome, _, columns) =>
    outcome.schema === schema
      ? format(outcome as Extract<CheckOutcome, { schema: Schema }>, columns) // as the schema says
      : [];
}

// A table that is as wide as the terminal.
function withColumns<Schema extends CheckOutcome["schema"]>(
  schema: Schema,
  format: (
    outcome: Extract<CheckOutcome, { schema: Schema }>,
    columns?: number,
  ) => Iterable<string>,
): Format {
  return of(schema, (outcome, columns) => format(outcome, columns ?? undefined));
}

// Of one kernel, head and checks are printed as they come.
const text: LateFormatter<CheckOutcome, unknown> = async ({ schema }) => {
  switch (schema) {
    case "dirtyring.check/1":
      return of(schema, (await import("../report/check_text.ts")).checkEndText);
    case "dirtyring.check-list/1":
      return of(schema, (await import("../report/check_text.ts")).checkListText);
    case "dirtyring.check-kernels/1":
      return withColumns(
        schema,
        (await import("../report/check_kernels_text.ts")).checkKernelsText,
      );
  }
};

const ktap: LateFormatter<CheckOutcome, unknown> = async ({ schema }) =>
  schema === "dirtyring.check-kernels/1"
    ? of(schema, (await import("../report/check_kernels_ktap.ts")).checkKernelsKtap)
    : of("dirtyring.check/1", (await import("../report/check_ktap.ts")).checkKtap);

const junit: LateFormatter<CheckOutcome, unknown> = async ({ schema }) => {
  const when = new Date();
  if (schema === "dirtyring.check-kernels/1") {
    const { checkKernelsJunit } = await import("../report/check_kernels_junit.ts");
    return of(schema, (report) => checkKernelsJunit(report, { when }));
  }
  const { checkJunit: format } = await import("../report/check_junit.ts");
  return of("dirtyring.check/1", (report) => format(report, { when }));
};

const ndjson: LateFormatter<CheckOutcome, unknown> = async () =>
  of("dirtyring.check/1", (await import("../report/check_ndjson.ts")).checkEndNdjson);

/** The formats of `dirtyring check`. */
export const CHECK_FORMATS: Readonly<Record<string, LateFormatter<CheckOutcome, unknown>>> = {
  ...{ text, ktap, junit, json, ndjson },
};
