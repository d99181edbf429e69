// Frames on a machine's serial line arrive complete and in order, however the stream is cut, and
// nothing else does.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Frame,
  frameBytes,
  FrameError,
  type FrameKind,
  framesOf,
  jsonFrame,
} from "../../vm/frames.ts";
import fc from "../support/fast_check.ts";

const KINDS: readonly FrameKind[] = [
  ...["hello", "alive", "stdout", "stderr", "file", "bytes", "problem", "end"] as const,
  ...["signal", "close"] as const,
];

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
  }),
  { maxLength: 8 },
);

function streamOf(sent: readonly Frame[]): Uint8Array {
  return new Uint8Array(sent.flatMap(({ kind, body }) => [...frameBytes(kind, body)]));
}

/** Cuts bytes at some places. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) =>
    a - b
  );
  return at.slice(1).map((end, n) => bytes.subarray(at[n], end));
}

async function read(bytes: readonly Uint8Array[]): Promise<Frame[]> {
  return await Array.fromAsync(framesOf(ReadableStream.from(bytes)));
}

const plain = (all: readonly Frame[]) => all.map(({ kind, body }) => [kind, [...body]]);

Deno.test("frames come out as they went in, wherever the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(frames, fc.array(fc.nat(), { maxLength: 12 }), async (sent, cuts) => {
      assertEquals(plain(await read(pieces(streamOf(sent), cuts))), plain(sent));
    }),
    { numRuns: 200 },
  );
});

Deno.test("a frame does not change when more comes in", async () => {
  const bytes = streamOf([
    { kind: "stdout", body: new Uint8Array([1, 2, 3]) },
    { kind: "stdout", body: new Uint8Array([4]) },
  ]);
  const held: Frame[] = [];
  const reused = new Uint8Array(7);
  const stream = (async function* () {
    for (let at = 0; at < bytes.length; at += reused.length) {
      const part = bytes.subarray(at, at + reused.length);
      reused.set(part);
      yield reused.subarray(0, part.length);
    }
  })();
  for await (const frame of framesOf(stream)) held.push(frame);
  assertEquals(plain(held), [["stdout", [1, 2, 3]], ["stdout", [4]]]);
});

Deno.test("a stream that ends within a frame gives those before it", async () => {
  const sent: Frame[] = [
    { kind: "hello", body: new Uint8Array([1]) },
    { kind: "stdout", body: new Uint8Array(20) },
  ];
  const bytes = streamOf(sent);
  for (let end = 7; end < bytes.length; end++) {
    assertEquals(plain(await read([bytes.subarray(0, end)])), plain(sent.slice(0, 1)), `${end}`);
  }
});

Deno.test("a damaged head is noticed, and a byte that is lost or added", async () => {
  const frame = frameBytes("stdout", new Uint8Array([0x41, 0x42, 0x43]));
  const damaged = (change: (bytes: number[]) => void) => {
    const bytes = [...frame, ...frame, ...frame];
    change(bytes);
    return assertRejects(() => read([new Uint8Array(bytes)]), FrameError, "else than frames");
  };
  await damaged((bytes) => bytes[0] = 0);
  await damaged((bytes) => bytes[1] = KINDS.length);
  await damaged((bytes) => bytes[5] = 0xff); // a length of gigabytes must not be waited for
  await damaged((bytes) => bytes.splice(7, 1));
  await damaged((bytes) => bytes.splice(7, 0, 0x41));
  await damaged((bytes) =>
    bytes.unshift(..."[    0.0] Linux".split("").map((c) => c.charCodeAt(0)))
  );
});

Deno.test("damage at any byte is an error or other frames, and never another class of error", async () => {
  await fc.assert(
    fc.asyncProperty(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), async (sent, at, flip) => {
      const bytes = streamOf(sent);
      if (bytes.length === 0) return;
      bytes[at % bytes.length]! ^= flip;
      try {
        assert(JSON.stringify(plain(await read([bytes]))) !== JSON.stringify(plain(sent)));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("JSON in a frame, and a body that is too long", async () => {
  const [frame] = await read([jsonFrame("end", { code: 3 })]);
  assertEquals([frame!.kind, new TextDecoder().decode(frame!.body)], ["end", '{"code":3}']);
  assertThrows(() => frameBytes("stdout", new Uint8Array((1 << 20) + 1)), RangeError, "1048577");
  assertEquals(
    (await read([frameBytes("stdout", new Uint8Array(1 << 20))]))[0]!.body.length,
    1 << 20,
  );
});
