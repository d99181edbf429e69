// What a command says that a signal ended: that it did, and no verdict on what was not looked at.
import { assert, assertEquals } from "@std/assert";
import { dump } from "../../commands/dump/dump.ts";
import { dumpText } from "../../commands/dump/dump_text.ts";
import { enableText } from "../../commands/enable/command.ts";
import { enable } from "../../commands/enable/enable.ts";
import { reset } from "../../commands/reset/reset.ts";
import { resetText } from "../../commands/reset/reset_text.ts";
import { InlineDriver, type VcpuExit } from "../../drive/inline_driver.ts";
import { Rounds } from "../../drive/rounds.ts";
import { openKernel } from "../../host/backend.ts";
import { Interrupt, type InterruptSignal } from "../../host/interrupt.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { PLAIN_PAGE } from "../../report/page.ts";
import { makeLab } from "../support/labs.ts";

const MODEL = await openKernel({ backend: "model", model: undefined }, null, () => {});
const QUIET = { ...PLAIN_PAGE, header: false, onlyFailures: true, quiet: true };
const ENDED = "interrupted by SIGINT: figures up to there\n";

/** An interrupt for which a turn is due each time, and to which a signal comes in the n-th. */
class InTurn extends Interrupt {
  turns = 0;
  readonly #last: number;

  constructor(last = Infinity) {
    super();
    this.#last = last;
  }

  override get isDue(): boolean {
    return true;
  }

  override get signal(): InterruptSignal | null {
    return this.turns >= this.#last ? "SIGINT" : null;
  }

  override pause(): Promise<void> {
    this.turns++;
    return Promise.resolve();
  }
}

Deno.test("dump and reset say that a signal ended them, quiet or not", async () => {
  const options = { pages: 20_000, memory: 1 << 27, ringBytes: 1 << 20 };
  {
    using lab = makeLab(options, MODEL);
    using interrupt = new InTurn(1);
    const all = { vcpu: undefined, all: false, interrupt };
    const result = await dump(lab, new InlineDriver(interrupt), all);
    assertEquals([result.interrupted, result.ok], ["SIGINT", true]);
    assertEquals([...dumpText(result, { limit: 0 }, QUIET)].join(""), ENDED);
    const text = [...dumpText(result, { limit: 0 })].join("");
    assertEquals(text.slice(-ENDED.length - 2), `\n\n${ENDED}`);
  }
  using lab = makeLab(options, MODEL);
  using interrupt = new InTurn(1);
  const asked = { harvestFirst: undefined, gap: undefined, sort: true, interrupt };
  const result = await reset(lab, new InlineDriver(interrupt), asked);
  assertEquals([result.interrupted, result.ok], ["SIGINT", true]);
  assertEquals([...resetText(result, null, QUIET)].join(""), ENDED);
  assertEquals(
    [...resetText(result, null, PLAIN_PAGE)].join("").slice(-ENDED.length - 1),
    `\n${ENDED}`,
  );
});

Deno.test("a round gives the event loop turns while the guest runs, and after each part of its end", async () => {
  using lab = makeLab({ pages: 20_000, memory: 1 << 27, ringBytes: 1 << 20 }, MODEL);
  using interrupt = new InTurn();
  let atExit = 0;
  const driver = new class extends InlineDriver {
    override async run(vcpu: Vcpu): Promise<VcpuExit> {
      const exit = await super.run(vcpu);
      atExit = interrupt.turns;
      return exit;
    }
  }(interrupt);
  await new Rounds(lab, driver, { interrupt }).round();
  assert(atExit > 4, `${atExit} turns while the guest ran`);
  // After the harvest, after the reset, after the check.
  assertEquals(interrupt.turns - atExit, 3);
});

Deno.test("a quiet enable --matrix is its verdict alone", () => {
  const [first, ...rest] = enableText(enable(MODEL, 65536, true), null, QUIET);
  assertEquals([first, rest], ["61 cases, all as documented\n", []]);
});
