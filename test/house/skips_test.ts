// Skipped tests are folded and counted correctly: no test that fails or does not end may count as
// skipped.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Folder } from "../support/folder.ts";
import { closing, FoldedSkips } from "../support/skips.ts";

const PRINTED = `running 2 tests from ./test/a_test.ts
live: one (skipped: open(/dev/kvm): ENOENT (no such file)) ... \x1b[33mignored\x1b[0m (0ms)
adds ... ok (1ms)
running 1 test from ./test/b_test.ts
live: two (skipped: open(/dev/kvm): ENOENT (no such file)) ... ignored (0ms)
running 2 tests from ./test/c_test.ts
mounts (skipped: needs root) ... ignored (0ms)
says (skipped: so) in its name ... FAILED (2s)

 ERRORS 

\x1b[31mFAILED\x1b[0m | 1 passed | 1 failed | 3 ignored (3s)
`;
const FOLDED = `running 2 tests from ./test/a_test.ts
adds ... ok (1ms)
running 2 tests from ./test/c_test.ts
says (skipped: so) in its name ... FAILED (2s)

 ERRORS 

2 tests skipped: open(/dev/kvm): ENOENT (no such file)
1 test skipped: needs root

\x1b[31mFAILED\x1b[0m | 1 passed | 1 failed | 3 ignored (3s)
`;

Deno.test("FoldedSkips shows one line for each reason, wherever what it takes is cut", () => {
  for (const size of [1, 2, 7, 64, PRINTED.length]) {
    const folded = new FoldedSkips();
    let shown = "";
    for (let at = 0; at < PRINTED.length; at += size) {
      shown += folded.take(PRINTED.slice(at, at + size));
    }
    assertEquals(shown + closing([folded], 3000), FOLDED, `pieces of ${size}`);
  }
});

Deno.test("FoldedSkips shows the name of a test that runs, and what was skipped before an early end", () => {
  const folded = new FoldedSkips();
  assertEquals(folded.take("running 2 tests from ./a.ts\nx (skipped: y) ..."), "");
  assertEquals(folded.take(" ignored (0ms)\nadds ..."), "running 2 tests from ./a.ts\nadds ...");
  assertEquals(folded.take(" ok (1ms)\nhangs ..."), " ok (1ms)\nhangs ...");
  assertEquals(closing([folded], 1), "1 test skipped: y\n\n");
});

Deno.test("closing() adds up what all parts came to, and is silent where one came to nothing", () => {
  const parts = [
    PRINTED,
    "x (skipped: needs root) ... ignored (0ms)\nok | 5 passed | 0 failed (1s)\n",
  ];
  const runs = parts.map((printed) => {
    const folded = new FoldedSkips();
    folded.take(printed);
    return folded;
  });
  const skips = FOLDED.split("\n").slice(-5);
  assertEquals(closing(runs, 62_400).split("\n"), [
    skips[0],
    "2 tests skipped: needs root",
    "",
    "\x1b[31mFAILED\x1b[0m | 6 passed | 1 failed | 3 ignored (1m2s)",
    "",
  ]);
  const text = closing([...runs, new FoldedSkips()], 1);
  assertEquals(text.includes("passed"), false);
  const fine = new FoldedSkips();
  fine.take("ok | 5 passed | 0 failed | 700 filtered out (1s)\n");
  assertEquals(closing([fine], 900), "ok | 5 passed | 0 failed | 700 filtered out (1s)\n");
});

const TESTS = `
Deno.test("passes", () => {});
Deno.test({ name: "live: one (skipped: no KVM)", ignore: true, fn() {} });
Deno.test({ name: "live: two (skipped: no KVM)", ignore: true, fn() {} });
`;

Deno.test("the test command folds what Deno prints, and its status is the tests' own", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const run = async (tests: string) => {
    await Deno.writeTextFile(`${folder}/some_test.js`, tests);
    const program = new URL("../run.ts", import.meta.url).pathname;
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        program,
        "--no-check",
        "--no-config",
        "--",
        folder,
      ],
      stderr: "null",
    }).output();
    return { code, text: new TextDecoder().decode(stdout) };
  };
  const good = await run(TESTS);
  assertEquals(good.code, 0);
  assertStringIncludes(good.text, "passes ... ok");
  assertStringIncludes(
    good.text,
    "\n\n2 tests skipped: no KVM\n\nok | 1 passed | 0 failed | 2 ig",
  );
  const bad = await run(`${TESTS}Deno.test("fails", () => { throw new Error("on purpose"); });`);
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.text, "on purpose");
  assertStringIncludes(
    bad.text,
    "\n2 tests skipped: no KVM\n\nFAILED | 1 passed | 1 failed | 2 ig",
  );
});
