import { assertEquals, assertThrows } from "@std/assert";
import { PAGES_LISTED, Witness } from "../../memory/witness.ts";
import { entriesOf, LoggedPages } from "../../ring/entry.ts";

const SLOTS = [
  { id: 0, addressSpace: 0, gfn: 0, pages: 4, logged: false },
  { id: 1, addressSpace: 0, gfn: 4, pages: 100, logged: true },
  { id: 2, addressSpace: 0, gfn: 104, pages: 150, logged: true },
];
const PAGES = new LoggedPages(SLOTS);

function setUp() {
  const memory = new Uint32Array(250 * 1024);
  const store = (page: number, value: number) => memory[page * 1024] = value;
  return { store, witness: new Witness(memory, PAGES) };
}

Deno.test("Witness finds a store that no entry announced, and names its page", () => {
  const { store, witness } = setUp();
  store(3, 1);
  store(120, 2);
  witness.read(entriesOf([[1, 3]]));
  witness.checkAll();
  const page = { slot: 2, offset: 20, gfn: 124, vcpu: 0, counter: 2, read: null };
  assertEquals(witness.lost, { count: 1, pages: [{ ...page, cause: "never harvested" }] });
  witness.checkAll();
  assertEquals(witness.lost.count, 1, "counted once");
});

Deno.test("Witness finds a second store to a page that was announced once", () => {
  const { store, witness } = setUp();
  store(3, 1);
  witness.read(entriesOf([[1, 3]]));
  store(3, 2);
  witness.check(Uint32Array.of(3, 3));
  assertEquals(witness.lost.count, 1);
});

Deno.test("Witness counts a page harvested without a store as spurious, once a harvest", () => {
  const { store, witness } = setUp();
  witness.beginHarvest();
  witness.read(entriesOf([[1, 5], [1, 5]])); // never stored to
  assertEquals(witness.spurious, { count: 1, pages: [{ slot: 1, offset: 5, gfn: 9 }] });
  store(5, 1);
  witness.beginHarvest();
  witness.read(entriesOf([[1, 5], [1, 5]])); // a duplicate is not spurious
  assertEquals(witness.spurious.count, 1);
  assertEquals(witness.lost.count, 0);
});

Deno.test("Witness lists the first hundred pages and counts them all", () => {
  const { store, witness } = setUp();
  for (let page = 0; page < 250; page++) store(page, 1);
  witness.checkAll();
  assertEquals([witness.lost.count, witness.lost.pages.length], [250, PAGES_LISTED]);
});

Deno.test("Witness says whose store was lost, and what it was most likely lost to", () => {
  const memory = new Uint32Array(250 * 1024);
  const witness = new Witness(memory, PAGES, 1);
  const store = (page: number, vcpu: number, counter: number) =>
    memory[page * 1024] = counter * 2 + vcpu;
  for (const page of [3, 4, 5]) store(page, 0, 7);
  witness.beginHarvest();
  witness.read(entriesOf([[1, 3]]));
  witness.beginHarvest();
  witness.read(entriesOf([[1, 4]]));
  witness.noteShortReset();
  witness.beginHarvest();
  witness.read(entriesOf([[1, 5]]));
  for (const page of [3, 4, 6]) store(page, 0, 8);
  store(5, 1, 9);
  witness.noteOverflow(1);
  witness.checkAll();
  assertEquals(
    witness.lost.pages.map(({ offset, vcpu, counter, read, cause }) => [
      ...[offset, vcpu, counter, read],
      cause,
    ]),
    [
      [3, 0, 8, 7, "read before reset"],
      [4, 0, 8, 7, "signal during reset"],
      [5, 1, 9, 7, "ring overflow"],
      [6, 0, 8, null, "never harvested"],
    ],
  );
});

Deno.test("Witness counts entries beyond the first for a page in one harvest", () => {
  const { witness } = setUp();
  witness.beginHarvest();
  witness.read(entriesOf([[1, 5], [1, 6], [1, 5]]));
  witness.read(entriesOf([[1, 6]])); // another ring of the same harvest
  witness.beginHarvest();
  witness.read(entriesOf([[1, 5]]));
  assertEquals(witness.duplicates, 2);
});

Deno.test("Witness counts entries that name no logged page", () => {
  const { witness } = setUp();
  witness.read(entriesOf([[0, 1], [3, 0], [1, 100], [1, 1n << 32n], [0x10001, 0]]));
  assertEquals(witness.strays, 5);
});

Deno.test("LoggedPages finds and names pages over all slots", () => {
  assertEquals([PAGES.total, PAGES.find(1, 99, 0), PAGES.find(2, 0, 0)], [250, 99, 100]);
  assertEquals(PAGES.name(100), { slot: 2, offset: 0, gfn: 104 });
  assertEquals(PAGES.find(2, 150, 0), -1);
  assertThrows(() => PAGES.name(250), RangeError, "Cannot name page 250");
});
