// The checks are the statements of docs/abi.md: each once, in its order, where it says.
import { assert, assertEquals } from "@std/assert";
import * as SOURCES from "../../conformance/kit/expect.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";

const ABI = await Deno.readTextFile(new URL("../../docs/abi.md", import.meta.url));

const GROUPS: Readonly<Record<string, string>> = {
  "Discovering and enabling": "enabling",
  "Mapping the ring": "mapping",
  "An entry and its states": "entry",
  "Who pushes, and when": "pushing",
  Harvesting: "harvesting",
  Resetting: "resetting",
  "A full ring": "full",
  "Slots that change between harvest and reset": "slots",
  Coalescing: "coalescing",
};

/** The statements of the document: its table rows that begin with an id. */
function statements(text: string): { id: string; group: string; where: string }[] {
  const found = [];
  let group = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) group = GROUPS[line.slice(3)] ?? "";
    // A \| is a character of a cell; the last cell says where.
    const cells = line.replaceAll("\\|", "").split("|").map((cell) => cell.trim());
    const id = /^`([a-z]+\.[a-z0-9.-]+)`$/i.exec(cells[1] ?? "")?.[1];
    if (id === undefined) continue;
    const where = cells.at(-2)!.startsWith("live") ? "live" : "model";
    found.push({ id, group, where });
  }
  return found;
}

Deno.test("there is a check for each statement of docs/abi.md, in its order, where it says", () => {
  const checks = ALL_CHECKS.map(({ id, group, where }) => ({ id, group, where }));
  assertEquals(checks, statements(ABI));
});

Deno.test("the document is read whole", () => {
  const found = statements(ABI);
  assertEquals(new Set(found.map(({ id }) => id)).size, found.length);
  assertEquals([...new Set(found.map(({ group }) => group))], Object.values(GROUPS));
  // What begins a row with an id and is not read would be missed above.
  assertEquals(ABI.match(/^\| `[a-z]+\.[^`]+` \|/gm)!.length, found.length);
});

Deno.test("every check has a statement in a line, and a source", () => {
  const sources = Object.values(SOURCES).filter((one) => typeof one === "string");
  for (const { id, statement, source } of ALL_CHECKS) {
    assert(statement.length > 10 && !statement.includes("\n"), id);
    assert(sources.some((one) => source.includes(one)), `${id}: ${source}`);
  }
});
