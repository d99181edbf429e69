// Progress crosses from a machine to its host in lines that nothing else can print.
import { assertEquals, assertThrows } from "@std/assert";
import { GuestSteps, guestView } from "../../cli/guest_progress.ts";
import { progressText } from "../../cli/progress.ts";
import { WorkProgress } from "../../host/progress.ts";
import { printableLine } from "../../text/printable.ts";
import { FrameError } from "../../vm/frames.ts";

Deno.test("what a command in a machine does is told on its host, by the host's clock", () => {
  const lines: string[] = [];
  const view = guestView((line) => void lines.push(line));
  const [inside, here] = [new WorkProgress(), new WorkProgress()];
  using steps = new GuestSteps(here);
  const show = () => {
    view.show(inside.steps, 0);
    assertEquals(steps.take(lines.at(-1)!), true);
    return progressText(here.steps, 7000);
  };
  let done = 1;
  using _outer = inside.begin({ what: "cost", unit: "sizes", total: 4, done: () => done });
  {
    using _inner = inside.begin({ what: "checking memory", total: 10, done: () => 5 });
    assertEquals(show(), "cost: 1 of 4 sizes (checking memory: 50 %), 7 s so far");
  }
  const [first] = here.steps;
  done = 2;
  assertEquals(show(), "cost: 2 of 4 sizes, 7 s so far");
  assertEquals(here.steps[0], first, "it goes on, and began when it began");
  view.clear();
  assertEquals([steps.take(lines.at(-1)!), here.steps], [true, []]);
  const { length } = lines;
  view.clear();
  assertEquals(lines.length, length, "there was nothing to remove");
});

Deno.test("a step that cannot be asked does not end the command in the machine", () => {
  const lines: string[] = [];
  const inside = new WorkProgress();
  using _step = inside.begin({
    what: "running",
    total: 3,
    done() {
      throw new Error("no such VM");
    },
  });
  guestView((line) => void lines.push(line)).show(inside.steps, 0);
  assertEquals(JSON.parse(lines[0]!.slice(1)).steps[0].done, 0);
});

Deno.test("other lines of a machine are no progress, and none can pretend to be", () => {
  using steps = new GuestSteps(new WorkProgress());
  for (const line of ["dirtyring: a note", "", '{"steps":[]}']) {
    assertEquals(steps.take(line), false);
  }
  assertEquals(steps.take(printableLine('\x1e{"steps":[]}')), false);
  const wrong = ["", "{}", '{"steps":7}', '{"steps":[{}]}', '{"steps":[{"what":3}]}'];
  for (const text of wrong) assertThrows(() => steps.take(`\x1e${text}`), FrameError);
});
