// What a person sees of a live run at a terminal, also of one that gets another size.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { AFTER_FRAMES, liveFrames, liveLines } from "../../../commands/live/live_progress.ts";
import type { LiveProgress } from "../../../commands/live/live_result.ts";
import { widthOf } from "../../../report/layout.ts";
import { PLAIN_PAGE } from "../../../report/page.ts";
import { type ScreenSize, TerminalScreen } from "../../support/terminal_screen.ts";

const RING = 4096;
const HEAD = "the head, and the lab, which a terminal breaks that gets narrower than it is long";

/** The progress of a number of vCPUs after some tenths of a second. */
function progressAt(tenths: number, vcpus = 2): LiveProgress {
  return {
    schema: "dirtyring.live-progress/1",
    elapsedNs: tenths * 1e8,
    vcpus: Array.from({ length: vcpus }, (_, vcpu) => ({
      vcpu,
      entries: tenths * 123_456,
      fullExits: tenths * 1000 + vcpu,
      occupancy: 4032,
    })),
    resets: tenths * 321,
    resetEntries: tenths,
    lost: 7,
    audits: 0,
    problems: 0,
  };
}

/** Draws frames at a terminal that has each of some sizes in turn, after lines of a head. */
async function seen(sizes: readonly ScreenSize[], vcpus = 2): Promise<string[]> {
  const terminal = { ...sizes[0]! };
  using screen = new TerminalScreen(terminal);
  await screen.write(`${HEAD}\n\n`);
  const draw = liveFrames(RING, terminal, PLAIN_PAGE);
  for (const [n, size] of sizes.entries()) {
    Object.assign(terminal, size);
    screen.resize(size);
    for (const text of draw(progressAt(2 * n + 1, vcpus))) await screen.write(text);
    for (const text of draw(progressAt(2 * n + 2, vcpus))) await screen.write(text);
  }
  await screen.write(AFTER_FRAMES);
  const frame = [...draw(progressAt(2 * sizes.length + 2, vcpus))].join("");
  await screen.write(frame);
  // The head is broken by the terminal, as any text is that was printed before.
  return screen.lines();
}

const size = (columns: number, rows = 24) => ({ columns, rows });

Deno.test("a frame fits each width, with every number whole", async () => {
  for (const columns of [60, 72, 80, 200]) {
    const lines = await seen([size(columns)]);
    const shown = lines.join("\n");
    for (const part of ["0.4 s", "full exits 8001", "resets 1284", "lost pages 7", "full 4001"]) {
      assert(shown.includes(part), `${columns}: ${part}\n${shown}`);
    }
    assertMatch(shown, /^vCPU 1 .* ▕█+[▏▎▍▌▋▊▉]? *▏ +98 % {2}full 4001$/m);
    const frame = lines.slice(lines.indexOf("") + 1);
    assert(frame.length > 2 && frame.every((line) => widthOf(line) < columns));
  }
});

Deno.test("a terminal that gets narrower or wider keeps no rest of a frame", async () => {
  const ways = [
    [size(120), size(60)],
    [size(60), size(120)],
    [size(200), size(60), size(80), size(61), size(200)],
    [size(80, 50), size(80, 10), size(60, 24)],
  ];
  for (const sizes of ways) {
    const last = sizes.at(-1)!;
    const still = await seen(sizes.map(() => last));
    assertEquals(await seen(sizes), still, JSON.stringify(sizes));
  }
});

Deno.test("a frame with a line that is broken would leave a rest", async () => {
  using screen = new TerminalScreen(size(100));
  const frame = (width: number) => `${`${"x".repeat(width)}\x1b[K\n`.repeat(2)}\x1b[J\x1b[2A\r`;
  await screen.write(frame(90));
  screen.resize(size(60));
  await screen.write(frame(59));
  assert(screen.lines().length > 2);
});

Deno.test("a frame is not higher than its terminal", async () => {
  const lines = await seen([size(100, 10)], 40);
  assertEquals(lines.length, 2 + 9);
});

Deno.test("where a terminal is dumb there is a line a second", () => {
  const show = liveLines(RING, PLAIN_PAGE);
  const lines = Array.from({ length: 35 }, (_, n) => [...show(progressAt(n + 1))]).flat();
  assertEquals(lines.length, 3);
  // deno-lint-ignore no-control-regex
  assert(lines.every((line) => /^ +[123]\.0 s .*\n$/.test(line) && !/[\x1b\r]/.test(line)));
});
