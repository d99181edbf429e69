import { type Command, defineCommand, json, now } from "../../cli/command.ts";
import { choice } from "../../cli/option.ts";
import { EXIT } from "../../host/errors.ts";
import { kernelLine } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { ENTRY_BYTES, oneLine, sizeText, table } from "../../report/table.ts";
import { backendOptions } from "../lab_options.ts";
import { probe, type ProbeResult } from "./probe.ts";

/** `dirtyring probe` */
export const command: Command = defineCommand({
  name: "probe",
  summary: "what this host offers: KVM, its dirty ring, its limits",
  details: "Works without permission and without KVM too: then it says what is missing and exits " +
    "with 4.",
  options: {
    ...backendOptions(),
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["backend"],
  examples: [
    ["dirtyring probe", "can the other commands run here?"],
    ["dirtyring probe --format json", "the same for a script"],
    ["dirtyring probe --backend model --model v6.1+pml", "a kernel in memory, with PML"],
  ],
  formats: { text: now(probeText), json },
  run: async (options, context): Promise<ProbeResult> => probe(await context.openKernel(options)),
  status: (result) => result.usable ? EXIT.OK : EXIT.HOST,
});

const NOT_USABLE = "the other commands run here on the model of a kernel alone (--backend model)";

/**
 * Formats the result of `dirtyring probe` for people.
 *
 * @returns Lines with their ends.
 */
export function* probeText(
  result: ProbeResult,
  _options: unknown = null,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  if (page.header) yield `${kernelLine(result.kernel)}\n`;
  const { device, problems, usable } = result;
  if (!page.quiet) {
    yield device === null
      ? "device  /dev/kvm does not exist\n"
      : `device  ${oneLine(`${device.path} ${device.mode} ${device.owner}:${device.group}`)}, ` +
        `${openText(result)}\n`;
  }
  for (const { what, advice } of problems) {
    yield `missing ${oneLine(what)}\n        ${oneLine(advice)}\n`;
  }
  const { good, bad } = page.ink;
  yield `usable  ${usable ? good("yes") : `${bad("no")}: ${NOT_USABLE}`}\n`;
  if (page.quiet) return;
  yield* facts(result, page);
  yield* capabilities(result);
}

function openText({ apiVersion }: ProbeResult): string {
  return apiVersion === null ? "cannot be used" : `can be opened, API version ${apiVersion}`;
}

function* facts(
  { ring, pml, vcpus, memorySlots, kvmRunBytes }: ProbeResult,
  page: Page,
): Generator<string> {
  const rows: string[][] = [];
  if (ring !== null) {
    const { maxEntries, minEntries, reserved, softLimitOfMax } = ring;
    rows.push(
      ["largest ring", `${maxEntries} entries, ${sizeText(maxEntries * ENTRY_BYTES)}`],
      [
        "smallest ring",
        `${minEntries} entries, ${sizeText(minEntries * ENTRY_BYTES)} (found by asking)`,
      ],
      ["reserved entries", `${reserved ?? "unknown"} (inferred from the smallest ring)`],
      ["soft limit", `${softLimitOfMax ?? "unknown"} entries of the largest ring (inferred)`],
    );
  }
  rows.push(["PML", pmlText(pml, ring?.reserved ?? null)]);
  if (vcpus !== null) {
    rows.push(["vCPUs", `${vcpus.recommended} recommended, ${vcpus.max} at most`]);
  }
  if (memorySlots !== null) rows.push(["memory slots", `${memorySlots}`]);
  if (kvmRunBytes !== null) rows.push(["kvm_run", sizeText(kvmRunBytes)]);
  yield "\n";
  yield* table(rows, ["left", "prose"], "", { page });
}

/** The entries that are reserved with PML: its buffer of 512 comes on top. */
const RESERVED_WITH_PML = 576;

// A module without that parameter may be one that cannot use PML: the reserved entries tell.
function pmlText(pml: boolean | null, reserved: number | null): string {
  if (pml !== null) return pml ? "on" : "off";
  if (reserved === null) return "unknown: the KVM module has no parameter pml";
  return `${reserved >= RESERVED_WITH_PML ? "on" : "off"} (inferred from the reserved entries)`;
}

function* capabilities(result: ProbeResult): Generator<string> {
  const entries = Object.entries(result.capabilities);
  if (entries.length === 0) return;
  yield "\n";
  yield* table(entries.map(([name, value]) => [name, `${value}`]), ["left", "right"]);
}
