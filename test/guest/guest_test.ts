import { assert, assertEquals, assertThrows } from "@std/assert";
import { offsetOf } from "../../guest/guest.ts";
import { long64, LONG64_LISTING, spinner64, SPINNER64_LISTING } from "../../guest/long64.ts";
import { generate, parsePattern, type PatternSpace, seeded } from "../../guest/pattern.ts";
import { real16, REAL16_LISTING } from "../../guest/real16.ts";
import fc from "../support/fast_check.ts";

const SPACE: PatternSpace = { stores: 8, pages: 100, firstHalf: 50, secondHalf: 50, seed: 1 };

function sequence(text: string, space: Partial<PatternSpace> = {}): number[] {
  const pattern = parsePattern(text);
  if (pattern.name === "file") throw new TypeError("Cannot generate a file");
  return [...generate(pattern, { ...SPACE, ...space })];
}

Deno.test("generate() makes the orders that the patterns are named for", () => {
  assertEquals(sequence("sequential"), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(sequence("reverse"), [7, 6, 5, 4, 3, 2, 1, 0]);
  assertEquals(sequence("stride:30"), [0, 30, 60, 90, 20, 50, 80, 10]);
  assertEquals(sequence("zigzag"), [50, 51, 49, 52, 48, 53, 47, 54]);
  assertEquals(sequence("pingpong"), [0, 50, 1, 51, 2, 52, 3, 53]);
  assertEquals(sequence("hot:3"), [0, 1, 2, 0, 1, 2, 0, 1]);
});

Deno.test("generate() wraps at the end of the logged memory", () => {
  const tiny = { stores: 7, pages: 3, firstHalf: 1, secondHalf: 1 };
  assertEquals(sequence("sequential", tiny), [0, 1, 2, 0, 1, 2, 0]);
  assertEquals(sequence("hot:9", tiny), [0, 1, 2, 0, 1, 2, 0]);
  for (const text of ["reverse", "stride:4294967295", "zigzag", "pingpong", "random", "window:2"]) {
    for (const pages of [1, 2, 3]) {
      const space = { stores: 7, pages, firstHalf: 1, secondHalf: pages - 1 };
      assert(sequence(text, space).every((page) => page < pages), `${text} over ${pages}`);
    }
  }
});

Deno.test("random and window are permutations, the same for the same seed", () => {
  const text = fc.constantFrom(
    "random",
    "window:1",
    "window:7",
    "window:64",
    "window:1000",
    "zigzag",
  );
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 300 }), fc.nat(), (text, pages, seed) => {
    const space = { stores: pages, pages, seed };
    const found = sequence(text, space);
    assertEquals([...found].sort((a, b) => a - b), Array.from({ length: pages }, (_, n) => n));
    assertEquals(found, sequence(text, space));
  }));
});

Deno.test("window shuffles inside its windows alone", () => {
  const found = sequence("window:10", { stores: 95 });
  found.forEach((page, n) => assertEquals(Math.floor(page / 10), Math.floor(n / 10)));
  assert(found.some((page, n) => page !== n));
});

Deno.test("seeded() gives these numbers on every host", () => {
  const random = seeded(1);
  // Computed by another implementation of sfc32, in another language.
  assertEquals(Array.from({ length: 6 }, () => random(1000)), [537, 454, 82, 153, 652, 623]);
  assert(seeded(2 ** 40)(2 ** 32) !== seeded(0)(2 ** 32), "the seed's high word counts");
});

Deno.test("parsePattern() says what it expected", () => {
  assertEquals(parsePattern("file:a:b"), { name: "file", path: "a:b" });
  assertThrows(() => parsePattern("strid:3"), SyntaxError, "expected sequential, reverse");
  assertThrows(() => parsePattern("stride"), SyntaxError, "expected stride:N with N from 1");
  assertThrows(() => parsePattern("hot:0"), SyntaxError, "expected hot:N");
  assertThrows(() => parsePattern("window:x"), SyntaxError, "expected window:N");
  assertThrows(() => parsePattern("random:3"), SyntaxError, "takes no number");
  assertThrows(() => parsePattern("file:"), SyntaxError, "expected file:PATH");
  assertThrows(() => parsePattern("constructor"), SyntaxError, "expected sequential");
});

Deno.test("the real-mode guest spends at least 16 instructions on a store", () => {
  // Fewer could push past the 64 reserved entries in one batch of 1024 emulated instructions.
  const lines = REAL16_LISTING.map(([, assembly]) => assembly);
  const next = lines.findIndex((line) => line.startsWith("next:"));
  const jump = lines.findIndex((line) => line.includes("jnz"));
  assert(jump - next + 1 >= 17, `${jump - next + 1} instructions`);
});

for (
  const [name, guest, listing, targets] of [
    ["real16", real16, REAL16_LISTING, ["done", "next"]],
    ["long64", long64, LONG64_LISTING, ["done", "next"]],
    ["spinner64", spinner64, SPINNER64_LISTING, ["next"]],
  ] as const
) {
  Deno.test(`the jumps of ${name} land where their labels stand`, () => {
    let at = 0;
    const labels = new Map<string, number>();
    const jumps: [string, number][] = [];
    for (const [bytes, assembly] of listing) {
      const label = /^(\w+):/.exec(assembly)?.[1];
      if (label !== undefined) labels.set(label, at);
      at += bytes.length;
      const target = /\bj\w+\s+(\w+)/.exec(assembly)?.[1];
      if (target !== undefined) jumps.push([target, at + new Int8Array([bytes.at(-1)!])[0]!]);
    }
    assertEquals(jumps, targets.map((target) => [target, labels.get(target)!]));
    assertEquals(guest.code.length, at);
  });
}

for (const [guest, listing] of [[real16, REAL16_LISTING], [long64, LONG64_LISTING]] as const) {
  Deno.test(`remaining() of ${guest.name} counts a store from the moment that it is made`, () => {
    const remaining = (rip: number) =>
      guest.remaining((name) => BigInt(name === "rip" ? guest.codeAt + rip : 5));
    const store = offsetOf(listing, "the store");
    const count = offsetOf(listing, "the count");
    assertEquals([0, store, store + 2, count, count + 3].map(remaining), [5, 5, 4, 4, 5]);
  });
}

Deno.test("the long-mode guest's page tables map every address to itself", () => {
  const memory = new ArrayBuffer(long64.listAt);
  long64.place(new Uint8Array(memory));
  const tables = new DataView(memory);
  const entry = (table: number, index: number) => tables.getBigUint64(table + index * 8, true);
  const target = (found: bigint) => Number(found & 0x000f_ffff_ffff_f000n);
  for (const address of [0, 0x1fffff, 0x200000, 2 ** 32 - 1, 2 ** 32, long64.addressLimit - 1]) {
    const pdpt = target(entry(0x2000, 0));
    const directory = target(entry(pdpt, Math.floor(address / 2 ** 30)));
    const page = entry(directory, Math.floor(address / 2 ** 21) % 512);
    assertEquals(page & 0xe7n, 0xe7n); // present, writable, user, accessed, dirty, large
    assertEquals(target(page & ~0x1fffffn) + address % 2 ** 21, address);
  }
});

Deno.test("real16.begin() carries the errand in registers", () => {
  const registers = real16.begin({ list: 0x2000, stores: 3, value: 5, step: 2 });
  assertEquals([registers.rsi, registers.rcx, registers.rbx, registers.rbp, registers.rip], [
    0x2000n,
    3n,
    5n,
    2n,
    BigInt(real16.codeAt),
  ]);
});
