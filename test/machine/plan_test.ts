import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../host/errors.ts";
import { REAL_MODE_LIMIT } from "../../kvm/vm.ts";
import { parsePages, readPattern } from "../../machine/pattern_file.ts";
import { passesFor, planLab, repeatBlocks, sharesOf, vcpuBits } from "../../machine/plan.ts";
import { labOptions } from "../support/labs.ts";

const plan = (changes: Parameters<typeof labOptions>[0]) => planLab(labOptions(changes));
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("planLab() splits the memory into equal slots, the remainder in the last", () => {
  const { slots } = plan({ memory: 10 * 4096, slots: 3, pages: 4 });
  assertEquals(slots, [
    { id: 0, addressSpace: 0, gfn: 0, pages: 3, logged: false },
    { id: 1, addressSpace: 0, gfn: 3, pages: 3, logged: true },
    { id: 2, addressSpace: 0, gfn: 6, pages: 3, logged: true },
    { id: 3, addressSpace: 0, gfn: 9, pages: 4, logged: true },
  ]);
});

Deno.test("planLab() makes room for the access list in slot 0", () => {
  const { slots, guest } = plan({ pages: 5000 });
  assertEquals([guest.listAt, slots[0]!.pages], [0x2000, 2 + Math.ceil(5000 * 4 / 4096)]);
});

Deno.test("planLab() alternates between the first and the last slot, or halves", () => {
  const text = "pingpong";
  assertEquals([...plan({ memory: 12 * 4096, slots: 3, pages: 4, text }).sequence], [0, 8, 1, 9]);
  assertEquals([...plan({ memory: 9 * 4096, slots: 1, pages: 4, text }).sequence], [0, 4, 1, 5]);
});

Deno.test("planLab() refuses what a real-mode guest cannot reach, before it builds a list", () => {
  plan({ memory: REAL_MODE_LIMIT - 4 * 4096 });
  assertThrows(() => plan({ memory: REAL_MODE_LIMIT }), UsageError, "32-bit addresses");
  assertThrows(() => plan({ memory: REAL_MODE_LIMIT - 4096 }), UsageError, "list of its 16 stores");
  assertThrows(() => plan({ pages: 2 ** 31 - 1 }), UsageError, "pages 2147483647: slot 0 takes");
});

Deno.test("planLab() refuses more slots than pages", () => {
  assertThrows(
    () => plan({ memory: 8192, slots: 3 }),
    UsageError,
    "slots 3: 8KiB of memory is only 2",
  );
});

Deno.test("planLab() refuses more stores than the counter can tell apart", () => {
  assertEquals([1, 2, 3, 4, 5].map(vcpuBits), [0, 1, 2, 2, 3]);
  plan({ pages: 1000, rounds: 4_000_000 });
  assertThrows(() => plan({ pages: 1000, rounds: 5_000_000 }), UsageError, "expected fewer");
  assertThrows(
    () => plan({ vcpus: 1024, pages: 1024, rounds: 5_000_000 }),
    UsageError,
    "pages 1024, rounds 5000000: ",
  );
});

Deno.test("planLab() takes a file's length, truncates it or repeats it", () => {
  const pattern = { name: "file", path: "x" } as const;
  const list = () => Uint32Array.of(5, 3, 1);
  const { pages: _, ...rest } = labOptions({ pattern });
  const sequence = (pages: number | undefined) => [...planLab({ ...rest, pages }, list).sequence];
  assertEquals(sequence(undefined), [5, 3, 1]);
  assertEquals(sequence(2), [5, 3]);
  assertEquals(sequence(7), [5, 3, 1, 5, 3, 1, 5]);
});

// In pieces of every length, as a pipe may bring them.
function* pieces(text: string, length = 3): Generator<Uint8Array> {
  const all = bytes(text);
  for (let at = 0; at < all.length; at += length) yield all.subarray(at, at + length);
}

Deno.test("parsePages() reads decimal and hexadecimal numbers, a line each", () => {
  assertEquals([...parsePages(pieces("1\n 0x1F\r\n\n\t7"), "f", 100)], [1, 31, 7]);
  assertEquals([...parsePages(pieces("0x0A\n"), "f", 100)], [10]);
  assertEquals([...parsePages(pieces("\ufeff7\n8"), "f", 100)], [7, 8]); // a byte-order mark
  const text = "\ufeff12\r\n\n 0x3  \n4\n\n55";
  for (let length = 1; length <= text.length; length++) {
    assertEquals([...parsePages(pieces(text, length), "f", 100)], [12, 3, 4, 55], `${length}`);
  }
});

Deno.test("parsePages() names the line that is wrong", () => {
  const parse = (text: string) => () => parsePages(pieces(text), "f", 100);
  assertThrows(parse("1\nabc\n"), UsageError, 'f, line 2: "abc" is no page number');
  assertThrows(parse("-1"), UsageError, 'line 1: "-1"');
  assertThrows(parse("0x"), UsageError, 'line 1: "0x"');
  assertThrows(parse("1 2"), UsageError, 'line 1: "1 2"');
  assertThrows(parse("99\n100"), UsageError, "f, line 2: page 100 lies beyond");
  assertThrows(parse("99999999999999999999"), UsageError, "lies beyond");
  assertThrows(parse(""), UsageError, "f holds no page number");
  assertThrows(parse("\n\n"), UsageError, "f holds no page number");
  assertThrows(parse("\ufeff"), UsageError, "f holds no page number");
  assertThrows(parse("\ufeffx"), UsageError, 'f, line 1: "x" is no page number');
  assertThrows(parse("1\n\ufeff2"), UsageError, "f, line 2: ");
  assertThrows(parse(`1\n${" ".repeat(1024)}2`), UsageError, "f, line 2: ");
  assertEquals([...parsePages(pieces(`1\n${" ".repeat(1023)}2`), "f", 100)], [1, 2]);
});

Deno.test("readPattern() names a file that cannot be read", () => {
  assertThrows(() => readPattern("/no/such", 9), UsageError, "ENOENT");
  assertThrows(() => readPattern("/", 9), UsageError, "EISDIR");
});

Deno.test("parsePages() keeps no more of a file than its numbers, and gives up on one without an end", () => {
  const forEver = function* (byte: number) {
    for (let n = 0;; n++) {
      if (n > 1e5) throw new Error("it was read on and on");
      yield new Uint8Array(4096).fill(byte);
    }
  };
  assertThrows(() => parsePages(forEver(0), "f", 9), UsageError, 'f, line 1: "\\u0000');
  const numbers = function* () {
    for (let n = 0; n < 1e5; n++) yield bytes("1\n".repeat(2048));
  };
  assertThrows(() => parsePages(numbers(), "f", 9), UsageError, "f holds more than 16777216 page");
});

Deno.test("readPattern() reads ten million lines", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "0\n99\n".repeat(5_000_000));
    const found = readPattern(path, 100);
    assertEquals([found.length, found[0], found.at(-1)], [10_000_000, 0, 99]);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("sharesOf() gives the first vCPUs one store more", () => {
  const shares = sharesOf(8, 3).map(({ first, stores }) => [first, stores]);
  assertEquals(shares, [[0, 3], [3, 3], [6, 2]]);
});

Deno.test("repeatBlocks() repeats each vCPU's block where it stands", () => {
  const list = repeatBlocks(Uint32Array.of(1, 2, 3, 9, 8), sharesOf(5, 2), 2);
  assertEquals([...list], [1, 2, 3, 1, 2, 3, 9, 8, 9, 8]);
});

Deno.test("passesFor() makes lists long enough, and is one where they are", () => {
  assertEquals([passesFor(256, 2, 1000), passesFor(4000, 2, 1000)], [8, 1]);
  assertEquals(passesFor(1, 2, 1000), 1000); // the second vCPU has nothing to do
});

Deno.test("planLab() with passes lays the list out for all of them", () => {
  const plan = planLab(labOptions({ vcpus: 2, pages: 5, passes: 3 }));
  assertEquals(plan.options.pages, 5);
  assertEquals([...plan.sequence], [0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 3, 4, 3, 4]);
  assertEquals(plan.blocks, [{ first: 0, stores: 9 }, { first: 9, stores: 6 }]);
});
