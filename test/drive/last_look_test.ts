// The last comparison after a signal: it has a time limit, so that a large memory is not compared
// completely.
import { assertEquals } from "@std/assert";
import { Replica } from "../../commands/checkpoint/replica.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { Rounds } from "../../drive/rounds.ts";
import { openKernel } from "../../host/backend.ts";
import { type InterruptSignal, type InterruptWatch, lastLook } from "../../host/interrupt.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { checkMemory } from "../../machine/touched_pages.ts";
import { Witness } from "../../memory/witness.ts";
import { makeLab } from "../support/labs.ts";

const MODEL = await openKernel({ backend: "model", model: undefined }, null, () => {});

/** An interrupt that came before, or none. */
function late(signal: InterruptSignal | null): InterruptWatch & { turns: number } {
  return {
    signal,
    isDue: true,
    turns: 0,
    pause() {
      this.turns++;
      return Promise.resolve();
    },
  };
}

Deno.test("a signal that comes meanwhile ends a look, one that came before after a quarter of a second", () => {
  let ms = 1000;
  const clock = () => ms;
  const watch: { signal: InterruptSignal | null } = { signal: null };
  const before = lastLook(watch, clock);
  ms += 60_000;
  assertEquals(before(), true);
  watch.signal = "SIGHUP";
  assertEquals(before(), false);
  const after = lastLook(watch, clock);
  assertEquals(after(), true);
  ms += 249;
  assertEquals(after(), true);
  ms += 1;
  assertEquals(after(), false);
});

Deno.test("after a signal no time is spent on the whole of a large memory", async () => {
  using lab = makeLab({ memory: 1 << 26, ringBytes: 4096 }, MODEL);
  const witness = new Witness(lab.memory, lab.pages);
  using replica = new Replica(lab);
  // In the last page, which nobody harvested.
  const { gfn } = lab.pages.name(lab.pages.total - 1);
  MODEL.insight!.writeOutsideVcpu(lab.vm.fd, gfn * 4096);
  const now = performance.now;
  const run = async (signal: InterruptSignal | null) => {
    const watch = late(signal);
    let ms = 0;
    performance.now = () => ms += 150;
    try {
      await checkMemory(lab, witness, watch);
      return [watch.turns, witness.lost.count, await replica.compare(watch)] as const;
    } finally {
      performance.now = now;
    }
  };
  const [turns, lost, differing] = await run("SIGTERM");
  assertEquals([turns, lost, differing], [1, 0, null]);
  const [, found, compared] = await run(null);
  assertEquals([found, compared?.count], [1, 1]);
});

Deno.test("a round that a signal ended looks at the pages that it stored to, and at no others", async () => {
  using lab = makeLab({ memory: 1 << 24, ringBytes: 4096, pages: 4096 }, MODEL);
  let looked = 0;
  const witness = new class extends Witness {
    override check(pages: Uint32Array): void {
      looked += pages.length;
      super.check(pages);
    }
  }(lab.memory, lab.pages);
  let runs = 0;
  // The ring of 256 entries is full once, then the signal comes.
  const driver = new class extends InlineDriver {
    override run(vcpu: Vcpu) {
      return runs++ === 0 ? super.run(vcpu) : "KVM_EXIT_INTR";
    }
  }();
  const rounds = new Rounds(lab, driver, { witness });
  const { stores } = await rounds.round();
  assertEquals([rounds.state, stores > 0, looked], ["interrupted", true, stores + 1]);
});
