// Comparable parts of the commands whose vCPUs run while their pages are tracked: `live`,
// `checkpoint`, `restore`.
import { labOptions } from "./comparable_lab.ts";
import {
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

/** What a live run counts of each vCPU, besides its entries. */
const OCCUPANCY = plain("mean", "p50", "p99", "max");
/** What its entries have of the order of the stores. */
const ORDER = plain("entries", "repeated", "missing", "strange");
/** What the kernel counted beside it. */
const WITNESS = plain(
  "pushes",
  "entries",
  "ringFullExits",
  "fullExits",
  "dirtyIndex",
  "resetIndex",
);

/**
 * The parts of a live run. On a real kernel chance decides how many harvests and resets there were,
 * how full they found the rings, and what audits and the witness counted.
 */
export function liveParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  for (const vcpu of result.at("vcpus").list()) {
    const place = `vCPU ${vcpu.at("vcpu").amount()}`;
    for (const name of ["stores", "entries", "uniquePages"]) {
      figures.varying(place, name, [vcpu.at(name).amount()]);
    }
    figures.varying(place, "fullExits", [vcpu.at("fullExits").amount()], "less");
    figures.measured(place, "stoppedNs", timesOf([vcpu], "stoppedNs"), "less");
    vcpu.at("occupancy").ifThere((of) => figures.chances(place, of, OCCUPANCY, "occupancy."));
  }
  const place = "over all vCPUs";
  figures.chances(place, result, plain("auditedPages"));
  for (const name of ["fullStop", "harvest", "reset"]) {
    result.at(name).ifThere((of) => figures.chances(place, of, plain("count"), `${name}.`));
  }
  result.at("order").ifThere((of) => figures.chances(place, of, ORDER, "order."));
  result.at("witness").ifThere((witness) => {
    for (const vcpu of witness.at("vcpus").list()) {
      figures.chances(`witness, vCPU ${vcpu.at("vcpu").amount()}`, vcpu, WITNESS);
    }
    figures.chances("witness", witness, plain("walks", "resets"));
  });
  for (const name of ["resetEntries", "duplicates", "audits"]) {
    figures.varying(place, name, [result.at(name).amount()]);
  }
  figures.varying(place, "spurious", [result.at("spurious").at("count").amount()]);
  figures.measured(place, "elapsedNs", timesOf([result], "elapsedNs"), null);
  for (const name of ["harvestNsPerEntry", "resetNsPerEntry", "fullStopNs"]) {
    figures.measured(place, name, samplesOf(result, name), "less");
  }
  const rate = "entriesPerSecond";
  figures.measured(place, rate, samplesOf(result, rate), "more");
  const asked = optionsOf(result.at("asked"), ["stores", "durationNs"], "asked.");
  return {
    options: { ...labOptions(result), ...asked, ...optionsOf(result, ["intervalNs", "sorted"]) },
    statements: [holds(result)],
    figures: figures.list,
    partial: cutShort(result),
  };
}

/**
 * The parts of a kept replica: its epochs are the samples. Of what chance decides on a real kernel
 * their sums are the model's alone.
 */
export function checkpointParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  const epochs = result.at("epochs").ifThere((epochs) => epochs.list()) ?? [];
  const all = (name: string) => epochs.map((epoch) => epoch.at(name).amount());
  figures.varying("run", "epochCount", [result.at("epochCount").amount()]);
  figures.varying("run", "stores", [result.at("stores").amount()]);
  figures.varying("epochs", "dirtyPages", all("dirtyPages"));
  figures.varying("epochs", "fullExits", all("fullExits"), "less");
  figures.varying("epochs", "overshoot", overshoots(epochs));
  result.at("summary").ifThere((of) => figures.chances("run", of, plain("bytes", "fullExits")));
  result.at("output").ifThere((of) =>
    figures.chances("run", of, plain("files", "bytes", "lastEpoch"), "output.")
  );
  for (const name of ["pauseNs", "stopNs", "resumeNs"]) {
    figures.measured("epochs", name, timesOf(epochs, name), "less");
  }
  for (const name of ["learnNs", "rearmNs", "copyNs"]) {
    const times = timesOf(epochs, name, "dirtyPages");
    figures.measured("epochs", `${name} / dirtyPages`, times, "less");
  }
  const written = epochs.filter((epoch) => !epoch.at("fileBytes").isNull);
  const writes = timesOf(written, "writeNs", "fileBytes");
  figures.measured("epochs", "writeNs / fileBytes", writes, "less");
  const equal = result.at("equal").orNull((equal) => equal.flag());
  const differing = result.at("differing").ifThere((pages) => pages.at("count").amount()) ?? 0;
  const statement: Statement = {
    id: "equal",
    statement: "the replica is the guest's memory, byte for byte",
    status: equal === null ? "skip" : equal ? "pass" : "fail",
    answer: differing === 0 ? null : `${differing} pages differ`,
    withheld: false,
  };
  return {
    options: {
      ...labOptions(result),
      ...optionsOf(result, ["tracking", "intervalNs", "maxDirty"]),
    },
    statements: [holds(result), statement],
    figures: figures.list,
    partial: cutShort(result),
  };
}

// The pages beyond the limit of each epoch; none where there is no limit.
function overshoots(epochs: readonly Foreign[]): readonly number[] {
  return epochs.map((epoch) => epoch.at("overshoot").ifThere((pages) => pages.amount()))
    .filter((pages) => pages !== null);
}

/** The parts of a restored machine. How far it runs on is up to chance on a real kernel. */
export function restoreParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  figures.count("checkpoint", "files", result.at("files").amount());
  figures.count("checkpoint", "pages", result.at("pages").amount());
  figures.counts("checkpoint", result, plain("withoutIopl"));
  const skipped = result.at("skipped").ifThere((files) => files.list().length);
  if (skipped !== null) figures.count("checkpoint", "skipped", skipped, "less");
  for (const vcpu of result.at("vcpus").ifThere((vcpus) => vcpus.list()) ?? []) {
    const place = `vCPU ${vcpu.at("vcpu").amount()}`;
    figures.counts(place, vcpu, plain("storesBefore"));
    figures.chances(place, vcpu, plain("storesAfter"));
  }
  const checks = result.at("checks").list().map((check): Statement => {
    figures.chances(`check, ${check.at("when").text()}`, check, plain("stores"));
    const wrong = check.at("wrong").at("count").amount();
    return {
      id: check.at("when").text(),
      statement: "each page holds what was stored to it last",
      status: wrong === 0 ? "pass" : "fail",
      answer: wrong === 0 ? null : `${wrong} pages hold something else`,
      withheld: false,
    };
  });
  return {
    options: { ...labOptions(result), ...optionsOf(result, ["tracking", "epoch"]) },
    statements: [holds(result), ...checks],
    figures: figures.list,
    partial: cutShort(result),
  };
}
