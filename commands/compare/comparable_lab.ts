// Comparable parts of the commands whose vCPUs run in rounds: `stats`, `run`, `reset`, `dump`; and
// of `probe`.
import type { Better } from "./compare_result.ts";
import {
  cutShort,
  Figures,
  holds,
  optionsOf,
  type Parts,
  samplesOf,
  type Statement,
  timesOf,
} from "./comparable_parts.ts";
import type { Foreign } from "./foreign.ts";

/** What makes two labs the same. */
const LAB = ["guest", "vcpus", "memory", "slots", "ring", "pattern", "pages", "rounds", "seed"];

/** The options of a lab. */
export function labOptions(result: Foreign): Record<string, string> {
  return optionsOf(result.at("lab"), LAB, "lab.");
}

/** The parts of coalescing statistics. */
export function statsParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  addStatistics(figures, result);
  return {
    options: labOptions(result),
    statements: [holds(result)],
    figures: figures.list,
    partial: cutShort(result),
  };
}

const COUNTS: readonly (readonly [string, Better | null])[] = [
  ["windows", null],
  ["entries", null],
  ["uniquePages", null],
  ["duplicates", null],
  ["batches", "less"],
];

function addStatistics(figures: Figures, stats: Foreign): void {
  const place = "coalescing";
  const total = stats.at("total");
  for (const [name, better] of COUNTS) figures.count(place, name, total.at(name).amount(), better);
  // Another rule counts other calls.
  const rule = stats.at("rule").text();
  figures.count(place, `calls by the rule of ${rule}`, total.at("calls").amount(), "less");
  figures.count(place, "sorted.batches", total.at("sorted").at("batches").amount(), "less");
  for (const [name, count] of total.at("ends").fields()) {
    figures.count(place, `ends.${name}`, count.amount());
  }
  const measured = stats.at("measured");
  for (const name of ["resetNsPerEntry", "sequentialResetNsPerEntry"]) {
    figures.measured("measured", name, samplesOf(measured, name), "less");
  }
}

/** The times of a round, and what each is divided by. */
const ROUND_TIMES = [["guestNs", "stores"], ["harvestNs", "entries"], [
  "resetNs",
  "entries",
]] as const;

/** The parts of a run in rounds. */
export function runParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  const rounds = result.at("rounds").list();
  const all = (name: string) => rounds.map((round) => round.at(name).amount());
  for (const name of ["stores", "entries", "resets"]) figures.varying("rounds", name, all(name));
  figures.varying("rounds", "fullExits", all("fullExits"), "less");
  for (const [name, count] of ROUND_TIMES) {
    figures.measured("rounds", `${name} / ${count}`, timesOf(rounds, name, count), "less");
  }
  addStatistics(figures, result.at("stats"));
  addSort(figures, result);
  return {
    options: { ...labOptions(result), sort: `${!result.at("sort").isNull}` },
    statements: [holds(result)],
    figures: figures.list,
    partial: cutShort(result),
  };
}

/** The parts of one round, harvested and reset. */
export function resetParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  for (const [n, pass] of result.at("passes").list().entries()) {
    const place = `pass ${n + 1}`;
    for (const ring of pass.at("rings").list()) {
      const of = `${place}, vCPU ${ring.at("vcpu").amount()}`;
      for (const name of ["dirty", "harvested", "reset", "left"]) {
        figures.count(of, name, ring.at(name).amount());
      }
    }
    figures.measured(place, "resetNs", timesOf([pass], "resetNs"), "less");
  }
  addSort(figures, result);
  return {
    options: { ...labOptions(result), sort: `${!result.at("sort").isNull}` },
    statements: [holds(result)],
    figures: figures.list,
    partial: null,
  };
}

function addSort(figures: Figures, result: Foreign): void {
  const sort = result.at("sort");
  if (sort.isNull) return;
  for (const way of ["plain", "sorted"]) {
    const side = sort.at(way);
    const place = `sort, ${way}`;
    figures.count(place, "entries", side.at("entries").amount());
    figures.count(place, "batches", side.at("batches").amount(), "less");
    for (const name of ["harvestNsPerEntry", "resetNsPerEntry"]) {
      figures.measured(place, name, samplesOf(side, name), "less");
    }
  }
}

/** The most characters of the entries of a ring. */
const SHOWN = 2000;

/** The parts of listed rings: their entries, as facts. */
export function dumpParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  const statements: Statement[] = [holds(result)];
  for (const ring of result.at("rings").list()) {
    const place = `vCPU ${ring.at("vcpu").amount()}`;
    const entries = ring.at("entries").list();
    figures.count(place, "stores", ring.at("stores").amount());
    figures.count(place, "entries", entries.length);
    const pages = entries.map((one) =>
      `${one.at("flags").shown()}:${one.at("slot").shown()}:${one.at("offset").shown()}`
    );
    statements.push({
      id: `${place}, entries`,
      statement: "flags:slot:offset of each entry",
      status: null,
      answer: pages.join(" "),
      withheld: false,
    }, {
      id: `${place}, exit`,
      statement: "how the vCPU stopped",
      status: null,
      answer: ring.at("exit").text().slice(0, SHOWN),
      withheld: false,
    });
  }
  return { options: labOptions(result), statements, figures: figures.list, partial: null };
}

/** The parts of what a host offers: facts. */
export function probeParts(result: Foreign): Parts {
  const fact = (id: string, value: Foreign): Statement => ({
    id,
    statement: "what the kernel answers",
    status: null,
    answer: value.shown(),
    withheld: false,
  });
  const nested = ["capabilities", "ring", "vcpus"].flatMap((name) =>
    result.at(name).ifThere((all) => all.fields().map(([one, of]) => fact(`${name}.${one}`, of))) ??
      []
  );
  const usable = result.at("usable").flag();
  return {
    options: {},
    statements: [
      {
        id: "usable",
        statement: "the other commands can run",
        status: usable ? "pass" : "fail",
        answer: null,
        withheld: false,
      },
      ...["apiVersion", "pml", "memorySlots", "kvmRunBytes"].map((name) =>
        fact(name, result.at(name))
      ),
      ...nested,
    ],
    figures: [],
    partial: null,
  };
}
