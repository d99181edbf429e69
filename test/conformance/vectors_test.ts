// The vectors of docs/abi.md: the same in the document, in the checks and in ring/coalesce.ts.
import { assert, assertEquals } from "@std/assert";
import { COALESCING_VECTORS } from "../../conformance/statements/coalescing.ts";
import {
  batchesOf,
  pastTheSlot,
  randomWalk,
  WITNESS_PAGES,
} from "../../conformance/statements/coalescing_witness.ts";
import { seeded } from "../../guest/pattern.ts";
import { coalesce } from "../../ring/coalesce.ts";
import { entriesOf } from "../../ring/entry.ts";

for (const { text, entries, batches } of COALESCING_VECTORS) {
  Deno.test(`${text} is ${batches} ${batches === 1 ? "batch" : "batches"}`, () => {
    let gathered = 0;
    let found = 0;
    coalesce(entriesOf(entries), (batch) => {
      found++;
      gathered += batch.entries;
    });
    assertEquals({ found, gathered }, { found: batches, gathered: entries.length });
  });
}

Deno.test("the vectors are those of docs/abi.md", async () => {
  const document = await Deno.readTextFile(new URL("../../docs/abi.md", import.meta.url));
  const table = document.slice(document.indexOf("| offsets in ring order | batches |"));
  const rows = [...table.matchAll(/^\| ([^|]+) \| (\d+)(?: \((\d+) counted\))? \|$/gm)];
  assertEquals(
    COALESCING_VECTORS.map(({ text, batches }) => [text, batches]),
    rows.map(([, text, batches]) => [text!, Number(batches)]),
  );
  for (const [, text, , counted] of rows) {
    const vector = COALESCING_VECTORS.find((one) => one.text === text)!;
    if (counted !== undefined) assertEquals(vector.entries.length, Number(counted));
    const written = text!.includes("..") ? ends(vector.entries) : listed(vector.entries);
    assertEquals(written, text);
  }
});

// How the document writes a span, and a list with a letter for each slot if there are two.
function ends(entries: readonly (readonly [number, number])[]): string {
  const [from, to] = [entries[0]![1], entries.at(-1)![1]];
  assertEquals(entries.length, Math.abs(to - from) + 1);
  const step = Math.sign(to - from);
  assert(entries.every(([slot, offset], n) => slot === 1 && offset === from + n * step));
  return `${from}..${to}`;
}

function listed(entries: readonly (readonly [number, number])[]): string {
  const hasLetters = entries.some(([slot]) => slot !== 1);
  return entries.map(([slot, offset]) => `${hasLetters ? " AB"[slot] : ""}${offset}`).join(", ");
}

Deno.test("a moved vector keeps its batches, and one of them reaches past the slot", () => {
  for (const { entries, batches } of COALESCING_VECTORS) {
    const moved = pastTheSlot(entries);
    assertEquals(moved.length, batches);
    for (const sequence of moved) {
      assertEquals(batchesOf(sequence).length, batches);
      assert(sequence.some(([, offset]) => offset === WITNESS_PAGES));
    }
  }
});

Deno.test("what a witness forges stays near its slots", () => {
  const random = seeded(1);
  for (let n = 0; n < 1000; n++) {
    const sequence = randomWalk(random);
    assert(sequence.length >= 10 && sequence.length < 128);
    for (const [slot, offset] of sequence) {
      assert(slot === 0 || slot === 1);
      assert(Number.isInteger(offset) && offset >= 0 && offset < 2 * WITNESS_PAGES);
    }
  }
});
