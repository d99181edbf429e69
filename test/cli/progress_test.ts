// Long work says what it does, on a terminal, and leaves nothing of that behind.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { plainView, progressText, type ProgressView, ShownInterrupt } from "../../cli/progress.ts";
import { type BegunStep, WorkProgress, type WorkStep } from "../../host/progress.ts";
import { dirtyring, eachOf } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";
import { ERASE, NO_TERMINAL, screenOf, TerminalCli } from "../support/terminal.ts";

const CTRL_C = "\x03";
const MODEL = ["--backend", "model"];
/** A guest that keeps the model busy for a while, whatever the command. */
const LONG = [...MODEL, "--guest", "long64", "--pages", "100000", "--memory", "1GiB"];

/** Command lines that take long, and what each says of its work. */
const LINES: readonly (readonly [readonly string[], string])[] = [
  [["run", ...LONG, "--rounds", "1000"], "running 1000 rounds: "],
  [["stats", ...LONG, "--rounds", "1000"], "running 1000 rounds: "],
  [["run", ...LONG, "--rounds", "1", "--ring", "65536", "--times"], "measuring what a reset costs"],
  [
    ["reset", ...MODEL, "--pages", "60000", "--ring", "65536", "--sort", "--times"],
    "measuring what sorting costs and saves",
  ],
  [
    [
      ...["dump", ...MODEL, "--guest", "long64", "--vcpus", "64"],
      ...["--pages", "4000000", "--memory", "16GiB", "--ring", "65536"],
    ],
    "running the guest: ",
  ],
  [["live", ...MODEL, "--duration", "60m", "--format", "json"], "running the guest: "],
  [["live", ...MODEL, "--stores", "4000000000", "--format", "json"], "running the guest: "],
  [["checkpoint", ...LONG, "--epochs", "1000000"], "keeping the replica: "],
  [["checkpoint", ...LONG, "--duration", "60m"], "keeping the replica: "],
  [["bench", ...MODEL, "--times", "--sweep", "cost"], "cost: "],
  [["bench", ...MODEL, "--times", "--sweep", "ring-size"], "ring-size: "],
  [["bench", ...MODEL, "--times", "--sweep", "pattern"], "pattern: "],
  [["bench", ...MODEL, "--times", "--sweep", "sort"], "sort: "],
  [["check", ...MODEL, "--repeat", "1000", "--format", "json"], "checking "],
];

testUnless(
  NO_TERMINAL,
  "work that takes long says what it does, and Ctrl-C ends it and leaves nothing of that",
  async () => {
    await using made = await Folder.make();
    await eachOf(LINES.entries(), async ([n, [args, what]]) => {
      const child = new TerminalCli(args, { stdout: `${made.path}/${n}` });
      await child.shows(what);
      await child.types(CTRL_C);
      const { code, screen } = await child.ends();
      const line = args.join(" ");
      assertEquals([code, screen.filter((shown) => shown !== "")], [130, []], line);
      const printed = await Deno.readTextFile(`${made.path}/${n}`);
      assertStringIncludes(printed, args.includes("json") ? '"interrupted": "SIGINT"' : "\n", line);
    });
  },
);

testUnless(NO_TERMINAL, "restore says what it does, too", async () => {
  await using made = await Folder.make();
  const folder = `${made.path}/kept`;
  const kept = [...LONG, "--epochs", "1", "--interval", "1ms", "--into", folder];
  assertEquals((await dirtyring(["checkpoint", ...kept])).code, 0);
  const child = new TerminalCli(["restore", folder, ...MODEL], { stdout: `${made.path}/out` });
  await child.shows("running on: ");
  await child.types(CTRL_C);
  const { code, screen } = await child.ends();
  assertEquals([code, screen.filter((shown) => shown !== "")], [130, []]);
});

testUnless(
  NO_TERMINAL,
  "what is printed meanwhile stands on lines of its own, and progress fits the terminal",
  async () => {
    const args = [...MODEL, "--pages", "20000", "--epochs", "1000000", "--format", "ndjson"];
    const child = new TerminalCli(["checkpoint", ...args], { columns: 40 });
    await child.shows("so far");
    await child.shows('"epoch":2');
    await child.types(CTRL_C);
    const { code, screen, written } = await child.ends();
    assertEquals(code, 130);
    for (const line of screen.filter((shown) => shown !== "")) JSON.parse(line.replace("^C", ""));
    const shown = written.split(`\r${ERASE}`).map((part) => part.split(/[\r\n^]/)[0]!)
      .filter((part) => part !== "" && !part.startsWith("{"));
    assert(shown.length > 0);
    assertEquals(shown.filter((text) => text.length > 39), []);
  },
);

testUnless(NO_TERMINAL, "work that is done in a moment says nothing", async () => {
  const child = new TerminalCli(["dump", ...MODEL, "--pages", "3", "--limit", "0"]);
  const { code, written } = await child.ends();
  assertEquals([code, written.includes("running the guest")], [0, false]);
});

Deno.test("a screen shows what was not erased", () => {
  assertEquals(screenOf("\r\x1b[Kchecking: 3 %\r\x1b[Kchecking: 40 %"), ["checking: 40 %"]);
  assertEquals(screenOf("\r\x1b[Kchecking: 3 %^C\r\x1b[K"), [""]);
  assertEquals(screenOf("checking: 3 %\rdone\r\nnext"), ["doneking: 3 %", "next"]);
});

const begun = (step: Partial<WorkStep>, began = 0): BegunStep => ({
  step: { what: "work", total: null, done: () => 0, ...step },
  began,
  seen: { done: 0, at: began },
});

Deno.test("progress is told with a share or a count, and with the time that is left where it can be told", () => {
  const text = (step: Partial<WorkStep>, now = 10_000) => progressText([begun(step)], now, { now });
  assertEquals(text({}), "work, 10 s so far");
  assertEquals(text({ unit: "tries" }), "work, 10 s so far");
  assertEquals(text({ unit: "tries", done: () => 3 }), "work: 3 tries, 10 s so far");
  const half = { total: 8, done: () => 4 };
  assertEquals(text(half), "work: 50 %, 10 s so far, some 10 s left");
  assertEquals(
    text({ ...half, unit: "epochs" }),
    "work: 4 of 8 epochs, 10 s so far, some 10 s left",
  );
  assertEquals(text({ ...half, isSteady: false }), "work: 50 %, 10 s so far");
  assertEquals(text(half, 999), "work: 50 %, 0 s so far", "it has just begun");
  assertEquals(
    text({ total: 1000, done: () => 9 }),
    "work: 0 %, 10 s so far",
    "too little is done",
  );
  assertEquals(
    text({ total: 8, done: () => 9 }),
    "work: 100 %, 10 s so far",
    "more than asked for",
  );
  assertEquals(text({ total: 0 }), "work: 0 %, 10 s so far");
  assertEquals(text(half, 3_700_000), "work: 50 %, 1 h 1 min so far, some 1 h 1 min left");
  assertEquals(text(half, 100_000), "work: 50 %, 1 min 40 s so far, some 1 min 40 s left");
  const dead = () => {
    throw new Error("no such VM");
  };
  assertEquals(text({ total: 8, done: dead }), "work: 0 %, 10 s so far");
});

Deno.test("the time that is left does not grow while a part of the work lasts", () => {
  const steps = [begun({ unit: "epochs", total: 4, done: () => 1 })];
  const at = (ms: number) => progressText(steps, ms, { now: ms });
  assertEquals(at(10_000), "work: 1 of 4 epochs, 10 s so far, some 30 s left");
  assertEquals(at(15_000), "work: 1 of 4 epochs, 15 s so far, some 25 s left");
  assertEquals(
    at(60_000),
    "work: 1 of 4 epochs, 1 min 0 s so far",
    "it takes longer than it seemed",
  );
});

Deno.test("a step within another is told with it", () => {
  const outer = begun({ what: "cost", unit: "sizes", total: 4, done: () => 1 });
  const inner = begun({ what: "checking memory", total: 10, done: () => 3 }, 9000);
  const text = (most: number) => progressText([outer, inner], 10_000, { most, now: 10_000 });
  assertEquals(text(80), "cost: 1 of 4 sizes (checking memory: 30 %), 10 s so far, some 30 s left");
  assertEquals(text(60), "cost: 1 of 4 sizes, 10 s so far, some 30 s left");
  assertEquals(text(45), "cost: 1 …4 sizes, 10 s so far, some 30 s left");
  assertEquals(text(30).length, 30);
});

Deno.test("the time that is left is that of the whole, not of a step within it", () => {
  const inner = begun({ what: "running", total: 10, done: () => 5 });
  const text = (outer: Partial<WorkStep>) =>
    progressText([begun({ what: "ring-size", ...outer }), inner], 10_000, { now: 10_000 });
  const runs = { unit: "runs", total: 9, done: () => 0 };
  assertEquals(text(runs), "ring-size: 0 of 9 runs (running: 50 %), 10 s so far");
  assertEquals(
    text({ ...runs, done: () => 3, isSteady: false }),
    "ring-size: 3 of 9 runs (running: 50 %), 10 s so far",
  );
  assertEquals(text({ unit: "rounds" }), "ring-size (running: 50 %), 10 s so far");
  assertEquals(
    text({ what: "on 6.12" }),
    "on 6.12 (running: 50 %), 10 s so far, some 10 s left",
    "a name alone counts nothing",
  );
});

Deno.test("steps end wherever they stand", () => {
  const progress = new WorkProgress();
  const [a, b] = ["a", "b"].map((what) => progress.begin({ what, total: null, done: () => 0 }));
  const names = () => progress.steps.map(({ step }) => step.what);
  assertEquals(names(), ["a", "b"]);
  a![Symbol.dispose]();
  assertEquals(names(), ["b"]);
  b![Symbol.dispose]();
  b![Symbol.dispose]();
  assertEquals(names(), []);
});

/** A view that notes what it is told, and says when. */
function notingView() {
  const told: string[] = [];
  let heard = Promise.withResolvers<void>();
  const tell = (what: string) => {
    told.push(what);
    heard.resolve();
    heard = Promise.withResolvers();
  };
  const view: ProgressView = {
    everyMs: 1,
    show: (steps) => tell(steps.map(({ step }) => step.what).join(" ")),
    clear: () => tell(""),
  };
  const next = async (what: string) => {
    while (told.at(-1) !== what) await heard.promise;
  };
  return { told, view, next };
}

/** Runs work on a clock that a test sets. */
async function onClock(work: (set: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance;
  let ms = 0;
  performance.now = () => ms;
  try {
    await work((to) => void (ms = to));
  } finally {
    performance.now = now;
  }
}

Deno.test("nothing is shown before a second, then the steps, and nothing after a signal", async () => {
  await onClock(async (set) => {
    const { told, view, next } = notingView();
    let signals = 0;
    using interrupt = new ShownInterrupt(view, () => signals++);
    using _step = interrupt.progress.begin({ what: "work", total: null, done: () => 0 });
    set(999);
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setTimeout(resolve, 2));
    assertEquals(told, []);
    set(1000);
    await next("work");
    Deno.kill(Deno.pid, "SIGHUP");
    await next("");
    while (signals === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals([interrupt.signal, interrupt.progress.isShown], ["SIGHUP", true]);
    const { length } = told;
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setTimeout(resolve, 2));
    assertEquals(told.slice(length), []);
  });
});

Deno.test("a terminal that cannot redraw gets a line now and then", () => {
  const said: string[] = [];
  const view = plainView((line) => void said.push(line));
  view.show([begun({ total: 4, done: () => 1, isSteady: false })], 20_000);
  view.clear();
  assertEquals(said, ["work: 25 %, 20 s so far"]);
  assert(view.everyMs >= 5000);
});
