import { assert, assertEquals, assertRejects } from "@std/assert";
import { OutputStream } from "../../cli/printing.ts";

const decoder = new TextDecoder();

Deno.test("OutputStream writes all parts in order, however little is taken at a time", async () => {
  let text = "";
  const stream = new OutputStream((bytes) => {
    text += decoder.decode(bytes.subarray(0, 3));
    return Promise.resolve(Math.min(3, bytes.length));
  });
  for (const part of ["one ", "two ", "", "three"]) assert(stream.print([part]));
  await stream.drained();
  assertEquals([text, stream.dropped], ["one two three", 0]);
});

Deno.test("OutputStream does not wait for a reader, and drops whole parts beyond a megabyte", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  let written = 0;
  const stream = new OutputStream(async (bytes) => {
    await held;
    written += bytes.length;
    return bytes.length;
  });
  for (let n = 0; n < 30; n++) assert(stream.print(["x".repeat(100_000)]));
  assertEquals(written, 0);
  release();
  await stream.drained();
  assertEquals([written, stream.dropped], [1_000_000, 20]);
});

Deno.test("OutputStream says that nobody reads any more, and what else went wrong", async () => {
  const closed = new OutputStream(() => Promise.reject(new Deno.errors.BrokenPipe()));
  assert(closed.print(["x"]));
  await closed.drained();
  assertEquals(closed.print(["x"]), false);
  const full = new OutputStream(() => Promise.reject(new Error("no space left")));
  full.print(["x"]);
  await assertRejects(() => full.drained(), Error, "no space left");
});
