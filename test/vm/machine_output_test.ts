// Files that a machine sends: they arrive complete or give an error to their writer, and never
// block the machine.
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { GuestFile } from "../../vm/guest_request.ts";
import type { MachineListener } from "../../vm/machine.ts";
import type { FakeGuest } from "../support/fake_emulator.ts";
import { Case, FACTS } from "../support/machine_case.ts";

/** Sends a file in pieces. */
function sendFile(guest: FakeGuest, file: GuestFile, pieces: readonly string[]): void {
  guest.tell("file", file);
  for (const piece of pieces) guest.send("bytes", piece);
  guest.send("bytes", "");
}

Deno.test("files come whole, one after another, with other frames between their pieces", async () => {
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.send("bytes", "of no file");
    guest.tell("file", { output: "/a", below: "" });
    guest.send("bytes", "one ");
    guest.send("alive", "");
    guest.send("bytes", "two");
    guest.send("bytes", "");
    sendFile(guest, { output: "/b", below: "c" }, []);
    guest.tell("end", { code: 0 });
  });
  assertEquals(await ran.run(), { code: 0 });
  assertEquals(ran.files, [
    [{ output: "/a", below: "" }, "one two"],
    [{ output: "/b", below: "c" }, ""],
  ]);
});

const PIECES = Array.from({ length: 50 }, () => "x".repeat(5000));

Deno.test("a file that cannot be written ends the machine, however long it is", async () => {
  for (const pieces of [[], ["x"], PIECES]) {
    const ran = new Case((guest) => {
      sendFile(guest, { output: "/a", below: "" }, pieces);
      guest.tell("end", { code: 0 });
    }, { listener: { file: () => Promise.reject(new RangeError("no space left")) } });
    await assertRejects(() => ran.run(), RangeError, "no space left");
  }
});

Deno.test("a file that nobody wants is passed over", async () => {
  const refusals: readonly MachineListener["file"][] = [
    (_, bytes) => bytes.cancel(),
    (_, bytes) => bytes.pipeThrough(new DecompressionStream("deflate-raw")).cancel(),
    () => Promise.resolve(),
  ];
  for (const file of refusals) {
    const ran = new Case((guest) => {
      sendFile(guest, { output: "/a", below: "" }, PIECES);
      guest.tell("end", { code: 0 });
    }, { listener: { file } });
    assertEquals(await ran.run(), { code: 0 });
  }
});

Deno.test("a file that is cut off is an error to who writes it, before the machine has ended", async () => {
  let seen: unknown;
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.tell("file", { output: "/a", below: "" });
    guest.send("bytes", "half");
    guest.exit(0);
  }, {
    listener: {
      async file(_, bytes) {
        await new Response(bytes).text().catch((error) => seen = error);
      },
    },
  });
  await ran.fails("the machine stopped");
  assert(seen instanceof Error && seen.message === "the machine has ended", `${seen}`);
});
