// Comparable parts of the commands whose vCPUs run while their pages are tracked: `live`,
// `checkpoint`, `restore`.
import { labOptions } from "./comparable_lab.ts";
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

/** The parts of a live run. */
export function liveParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  for (const vcpu of result.at("vcpus").list()) {
    const place = `vCPU ${vcpu.at("vcpu").amount()}`;
    for (const name of ["stores", "entries", "uniquePages"]) {
      figures.varying(place, name, [vcpu.at(name).amount()]);
    }
    figures.varying(place, "fullExits", [vcpu.at("fullExits").amount()], "less");
    figures.measured(place, "stoppedNs", timesOf([vcpu], "stoppedNs"), "less");
  }
  const place = "over all vCPUs";
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

/** The parts of a kept replica: its epochs are the samples. */
export function checkpointParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  const epochs = result.at("epochs").ifThere((epochs) => epochs.list()) ?? [];
  const all = (name: string) => epochs.map((epoch) => epoch.at(name).amount());
  figures.varying("run", "epochCount", [result.at("epochCount").amount()]);
  figures.varying("run", "stores", [result.at("stores").amount()]);
  figures.varying("epochs", "dirtyPages", all("dirtyPages"));
  figures.varying("epochs", "fullExits", all("fullExits"), "less");
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
  const statement: Statement = {
    id: "equal",
    statement: "the replica is the guest's memory, byte for byte",
    status: equal === null ? "skip" : equal ? "pass" : "fail",
    answer: null,
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

/** The parts of a restored machine. */
export function restoreParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  figures.count("checkpoint", "files", result.at("files").amount());
  figures.count("checkpoint", "pages", result.at("pages").amount());
  const checks = result.at("checks").list().map((check): Statement => {
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
