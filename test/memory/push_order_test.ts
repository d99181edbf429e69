import { assertEquals } from "@std/assert";
import { isOrdered, PushOrder } from "../../memory/push_order.ts";
import { entriesOf, LoggedPages } from "../../ring/entry.ts";

const PAGES = new LoggedPages([{ id: 1, addressSpace: 0, gfn: 4, pages: 100, logged: true }]);
const LIST = Uint32Array.from({ length: 50 }, (_, n) => n * 2);

function compared(...pages: number[]): PushOrder {
  const order = new PushOrder(LIST, PAGES);
  order.compare(entriesOf(pages.map((page) => [1, page])));
  return order;
}

Deno.test("PushOrder finds nothing in entries that come as the stores do, and again from the front", () => {
  const { compared: count, missing, strange, repeated } = compared(...LIST, ...LIST);
  assertEquals([count, missing, strange, repeated], [100, 0, 0, 0]);
});

Deno.test("PushOrder counts entries that are missing, repeated or out of turn", () => {
  assertEquals(compared(0, 2, 8, 10).missing, 2);
  assertEquals(compared(0, 2, 2, 2, 4).repeated, 2);
  const odd = compared(0, 2, 7, 4);
  assertEquals([odd.strange, odd.missing], [1, 0]);
  const [stale] = [compared(0, 2, 4, 2, 6)]; // an entry of before, read again
  assertEquals(stale!.missing > 0, true);
});

Deno.test("isOrdered() wants no page again within a ring's worth, and none in two lists", () => {
  const line = (from: number, length: number) => Uint32Array.from({ length }, (_, n) => from + n);
  assertEquals(isOrdered([line(0, 50), line(50, 50)], 32, 100), true);
  assertEquals(isOrdered([line(0, 20), line(50, 50)], 32, 100), false);
  assertEquals(isOrdered([line(0, 50), line(49, 50)], 32, 100), false);
  assertEquals(isOrdered([Uint32Array.of(1, 2, 1, ...line(10, 60))], 32, 100), false);
});
