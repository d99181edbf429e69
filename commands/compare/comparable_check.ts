// Comparable parts of `check`, `enable` and `fuzz`: statements more than figures.
import {
  Figures,
  holds,
  optionsOf,
  type Parts,
  plain,
  type Statement,
} from "./comparable_parts.ts";
import type { Foreign } from "./foreign.ts";

/** The parts of a report of checks. */
export function checkParts(report: Foreign): Parts {
  const complete = report.at("complete").flag();
  const signal = report.at("interrupted").orNull((signal) => signal.text());
  return {
    options: {},
    statements: report.at("checks").list().map(checkOf),
    figures: [],
    partial: complete ? null : signal === null ? "ended early" : `interrupted by ${signal}`,
  };
}

const textOrNull = (one: Foreign) => one.orNull((text) => text.text());

function checkOf(check: Foreign): Statement {
  const status = check.at("status").word("pass", "fail", "timeout", "skip", "known");
  const detail = textOrNull(check.at("detail"));
  const expected = textOrNull(check.at("expected"));
  const seen = textOrNull(check.at("seen"));
  const compared = expected === null && seen === null
    ? []
    : [`expected ${expected ?? "nothing"}, seen ${seen ?? "nothing"}`];
  const answer = [...(detail === null ? [] : [detail]), ...compared].join(": ");
  return {
    id: check.at("id").text(),
    statement: check.at("statement").text(),
    status,
    answer: answer === "" ? null : answer,
    withheld: status === "skip" && !check.at("withheld").isNull,
  };
}

/** The parts of a list of checks: which there are. */
export function listParts(list: Foreign): Parts {
  const statements = list.at("checks").list().map((check) => ({
    id: check.at("id").text(),
    statement: check.at("statement").text(),
    status: null,
    answer: check.at("where").text(),
    withheld: false,
  }));
  return { options: {}, statements, figures: [], partial: null };
}

/** The parts of an enabled ring: the cases of `--matrix`. */
export function enableParts(result: Foreign): Parts {
  const ring = result.at("ring");
  const places = new Map<string, number>();
  const cases = result.at("cases").ifThere((cases) => cases.list()) ?? [];
  const statements = cases.map((one): Statement => {
    const before = one.at("before").text();
    const statement = `${before}: ${one.at("request").text()}`;
    const id = one.at("id").text();
    const number = (places.get(id) ?? 0) + 1;
    places.set(id, number);
    const errno = textOrNull(one.at("errno"));
    return {
      id: number === 1 ? id : `${id} (${number})`,
      statement,
      status: one.at("ok").flag() ? "pass" : "fail",
      answer: errno ?? `${one.at("result").number()}`,
      withheld: false,
    };
  });
  const figures = new Figures(false);
  for (const name of ["reserved", "softLimit"] as const) {
    const value = ring.at(name).orNull((one) => one.amount());
    if (value !== null) figures.count("ring", name, value);
  }
  return {
    options: optionsOf(ring, ["entries"], "ring."),
    statements,
    figures: figures.list,
    partial: null,
  };
}

/** The parts of compared programs: whether there is a mismatch, and how much was compared. */
export function fuzzParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  for (const name of ["programs", "calls", "entries", "endedEarly"]) {
    figures.count("compared with the model", name, result.at(name).amount());
  }
  // Whether a page is pushed for a read, or once more, is up to chance on a real kernel.
  result.at("allowances").ifThere((allowances) => {
    const names = allowances.fields().map(([name]) => name);
    figures.chances("compared with the model", allowances, plain(...names), "allowances.");
  });
  const mismatch = result.at("mismatch").orNull((one) =>
    `program ${one.at("number").amount()}, step ${one.at("step").amount()}: ${
      one.at("part").text()
    }`
  );
  return {
    options: optionsOf(result, ["seed", "planned"]),
    statements: [{
      ...holds(result),
      statement: "the kernel does what the model does",
      answer: mismatch,
    }],
    figures: figures.list,
    partial: result.at("interrupted").orNull((signal) => `interrupted by ${signal.text()}`),
  };
}
