// The long-mode guest runs natively on every KVM: what the ring then holds is exactly as documented.
import { assert, assertEquals } from "@std/assert";
import { dump } from "../../commands/dump/dump.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { Rounds } from "../../drive/rounds.ts";
import { run } from "../../drive/story.ts";
import { Interrupt } from "../../host/interrupt.ts";
import { Witness } from "../../memory/witness.ts";
import { makeLab } from "../support/labs.ts";
import { liveTest, NO_FAULTS, SOFT_LIMIT, testUnless } from "../support/live.ts";

const EVERYTHING = { vcpu: undefined, all: false };
const GIB = 2 ** 30;

liveTest("long64: a page stored to many times before its reset is pushed once", async () => {
  using lab = makeLab({ guest: "long64", text: "hot:3", pages: 30 });
  const { rings, ok } = await dump(lab, new InlineDriver(), EVERYTHING);
  assertEquals([rings[0]!.exit, rings[0]!.stores, ok], ["KVM_EXIT_IO", 30, true]);
  assertEquals(rings[0]!.entries.map(({ offset }) => offset), [0, 1, 2]);
});

liveTest("long64: after its reset the next store pushes a page again", async () => {
  using lab = makeLab({ guest: "long64", text: "hot:3", pages: 30 });
  const rounds = new Rounds(lab, new InlineDriver());
  for (let n = 0; n < 5; n++) assertEquals((await rounds.round()).entries, 3);
  assertEquals(rounds.problems, []);
});

testUnless(
  NO_FAULTS,
  "live: long64: a full ring stops before the store that filled it",
  async () => {
    using lab = makeLab({ guest: "long64", pages: 230 });
    const { rings } = await dump(lab, new InlineDriver(), EVERYTHING);
    const [ring] = rings;
    assertEquals([ring!.exit, ring!.done], ["KVM_EXIT_DIRTY_RING_FULL", false]);
    assertEquals([ring!.entries.length, ring!.stores], [SOFT_LIMIT, SOFT_LIMIT - 1]);
  },
);

testUnless(
  NO_FAULTS,
  "live: long64: the store that was cut off pushes its page once more",
  async () => {
    using lab = makeLab({ guest: "long64", pages: 230 });
    const witness = new Witness(lab.memory, lab.pages);
    const rounds = new Rounds(lab, new InlineDriver(), { witness });
    const { entries, stores, fullExits } = await rounds.round();
    assertEquals([fullExits > 0, entries - stores], [true, fullExits]);
    assertEquals([witness.spurious.count, witness.lost.count], [fullExits, 0]);
  },
);

liveTest("long64: memory beyond 4 GiB is stored to and logged", async () => {
  using lab = makeLab({ guest: "long64", memory: 16 * GIB, slots: 3, text: "zigzag", pages: 9 });
  const { rings, ok } = await dump(lab, new InlineDriver(), EVERYTHING);
  assertEquals([rings[0]!.entries.length, ok], [9, true]);
  assert(rings[0]!.entries.every(({ gfn }) => gfn! * 4096 > 4 * GIB));
});

liveTest("long64: run() loses nothing over rounds, vCPUs, slots and full rings", async () => {
  using lab = makeLab({
    guest: "long64",
    vcpus: 3,
    slots: 4,
    pages: 1500,
    rounds: 4,
    text: "random",
  });
  using interrupt = new Interrupt();
  const { ok, problems, rounds, stats } = await run(lab, interrupt, "auto");
  assertEquals([ok, problems], [true, []]);
  for (const { stores, entries, reset } of rounds) {
    assertEquals([stores, reset], [1500, entries]);
  }
  assertEquals(stats.measured.emulated, false);
});
