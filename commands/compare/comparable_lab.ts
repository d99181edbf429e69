// Comparable parts of the commands whose vCPUs run in rounds: `stats`, `run`, `reset`, `dump`; and
// of `probe`.
import {
  type Counts,
  cutShort,
  Figures,
  holds,
  optionsOf,
  type Parts,
  plain,
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
  addSpurious(figures, result);
  return {
    options: labOptions(result),
    statements: [holds(result)],
    figures: figures.list,
    partial: cutShort(result),
  };
}

/** What is counted of the windows of a ring, or of all. */
const COUNTS: Counts = [
  ...plain("windows", "entries", "uniquePages", "duplicates"),
  ["batches", "less"],
];

/** What is told of the sizes of batches, which follow from the batches: their histogram is left out. */
const SPREAD = plain("mean", "median", "max");

function addStatistics(figures: Figures, stats: Foreign): void {
  const place = "coalescing";
  const rule = stats.at("rule").text();
  const total = stats.at("total");
  addCoalescing(figures, place, total, rule);
  for (const [of, prefix] of [[total, ""], [total.at("sorted"), "sorted."]] as const) {
    for (const name of ["entriesPerBatch", "pagesPerBatch"]) {
      of.at(name).ifThere((spread) => figures.counts(place, spread, SPREAD, `${prefix}${name}.`));
    }
  }
  const rings = stats.at("rings").ifThere((rings) => rings.list()) ?? [];
  // A single ring is the total.
  for (const ring of rings.length > 1 ? rings : []) {
    addCoalescing(figures, `${place}, vCPU ${ring.at("vcpu").amount()}`, ring, rule);
  }
  const measured = stats.at("measured");
  for (const name of ["resetNsPerEntry", "sequentialResetNsPerEntry"]) {
    figures.measured("measured", name, samplesOf(measured, name), "less");
  }
}

function addCoalescing(figures: Figures, place: string, of: Foreign, rule: string): void {
  for (const [name, better] of COUNTS) figures.count(place, name, of.at(name).amount(), better);
  figures.counts(place, of, plain("distinctPages"));
  // Another rule counts other calls.
  figures.count(place, `calls by the rule of ${rule}`, of.at("calls").amount(), "less");
  figures.count(place, "sorted.batches", of.at("sorted").at("batches").amount(), "less");
  for (const [name, count] of of.at("ends").fields()) {
    figures.count(place, `ends.${name}`, count.amount());
  }
}

// vCPUs stand still while they are harvested: chance has no part in it.
function addSpurious(figures: Figures, result: Foreign): void {
  const pages = result.at("spurious").ifThere((pages) => pages.at("count").amount());
  if (pages !== null) figures.count("harvests", "spurious", pages);
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
  for (const name of ["stores", "entries", "resets", "reset"]) {
    figures.varying("rounds", name, all(name));
  }
  figures.varying("rounds", "fullExits", all("fullExits"), "less");
  for (const [name, count] of ROUND_TIMES) {
    figures.measured("rounds", `${name} / ${count}`, timesOf(rounds, name, count), "less");
  }
  addStatistics(figures, result.at("stats"));
  addSpurious(figures, result);
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
  addStores(figures, result.at("vcpus").ifThere((vcpus) => vcpus.list()) ?? []);
  for (const [n, pass] of result.at("passes").list().entries()) {
    const place = `pass ${n + 1}`;
    for (const ring of pass.at("rings").list()) {
      const of = `${place}, vCPU ${ring.at("vcpu").amount()}`;
      for (const name of ["dirty", "harvested", "reset", "left"]) {
        figures.count(of, name, ring.at(name).amount());
      }
      figures.counts(of, ring, plain("stoppedAt"));
      ring.at("kernelState").ifThere((states) => {
        for (const when of ["before", "after"]) addState(figures, of, states.at(when), `${when}.`);
      });
    }
    figures.counts(place, pass, plain("reset"));
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

function addStores(figures: Figures, vcpus: readonly Foreign[]): void {
  for (const vcpu of vcpus) {
    figures.counts(`vCPU ${vcpu.at("vcpu").amount()}`, vcpu, plain("stores"));
  }
}

// The kernel's own state of a ring. Each run has a fresh VM, whose indices begin at 0.
function addState(figures: Figures, place: string, state: Foreign, prefix: string): void {
  const names = plain("dirtyIndex", "resetIndex", "size", "softLimit");
  figures.counts(place, state, names, `kernelState.${prefix}`);
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
    ring.at("kernelState").ifThere((state) => addState(figures, place, state, ""));
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
