import { assertEquals, assertRejects } from "@std/assert";
import { InOrder } from "../../../commands/check/check_machine.ts";

function collecting(order: readonly string[]) {
  const given: string[] = [];
  const waiting = new Map<string, () => void>();
  const inOrder = new InOrder<string>(order, (thing) => {
    given.push(thing);
    waiting.get(thing)?.();
  });
  // Until a thing comes out.
  const out = (thing: string) => new Promise<void>((resolve) => void waiting.set(thing, resolve));
  return { given, inOrder, out };
}

Deno.test("things come out in their order, each as soon as all before it are there", async () => {
  const { given, inOrder, out } = collecting(["a", "b", "c", "d"]);
  const [late, a, b] = [Promise.withResolvers<string>(), out("A"), out("B")];
  inOrder.add("b", late.promise);
  inOrder.add("d", Promise.resolve("D"));
  inOrder.add("a", Promise.resolve("A"));
  await a;
  late.resolve("B");
  await b;
  assertEquals(given, ["A", "B"]);
  await inOrder.rest();
  assertEquals(given, ["A", "B", "D"]);
});

Deno.test("what comes to nothing is passed over, and what has no place comes last", async () => {
  const { given, inOrder } = collecting(["a"]);
  inOrder.add("z", Promise.resolve("Z"));
  inOrder.add("a", Promise.resolve(null));
  await inOrder.rest();
  assertEquals(given, ["Z"]);
});

Deno.test("a failure is told in the end", async () => {
  const { given, inOrder } = collecting(["a", "b"]);
  inOrder.add("b", Promise.resolve("B"));
  inOrder.add("a", Promise.reject(new Error("no machine")));
  await assertRejects(() => inOrder.rest(), Error, "no machine");
  assertEquals(given, []);
});
