// The content of an error: the refused values, the accepted range, and a text in which a command
// line names its options.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { optionFlag } from "../../cli/option.ts";
import { HostError, KernelError, WordedError } from "../../ffi/errors.ts";
import { resourceLimit } from "../../ffi/process.ts";
import { LimitError } from "../../host/errors.ts";
import { exhaustion } from "../../host/exhaustion.ts";
import { openModel } from "../../model/model_kernel.ts";
import { dirtyring } from "../support/cli.ts";
import { codeOf } from "../support/imports.ts";
import { sources } from "../support/sources.ts";
import { makeLab } from "../support/labs.ts";

// Binds what it calls: what a test binds itself counts as left open.
resourceLimit("RLIMIT_NOFILE");

const model = () => openModel({ version: "latest", pml: false, emulator: false });

Deno.test("a ring that the kernel does not take says what it was asked, and what it takes", async () => {
  const error = assertThrows(() => makeLab({ ringBytes: 100 * 16 }, model()), KernelError);
  assertEquals([error.call, error.errnoName], [
    "KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 1600)",
    "EINVAL",
  ]);
  assertEquals([error.asked, error.limit], [{ ring: 100 }, { least: 256, most: 65536 }]);
  const advice = "ring 100 is 1600 bytes, and this kernel takes a power of two from 256 to 65536 " +
    "entries (4096 to 1048576 bytes)";
  assertEquals(error.advice, advice);
  assertEquals(error.message, `${error.call}: EINVAL (invalid argument); ${advice}`);
  const line = await dirtyring(["dump", "--backend", "model", "--ring", "1600B"]);
  assertEquals(line.stderr, `dirtyring: ${error.said(optionFlag)}\n`);
  assert(line.stderr.includes("; --ring 100 is"));
});

Deno.test("a value that does not fit is told by name, and as an option where options are", async () => {
  const error = assertThrows(() => makeLab({ vcpus: 5000, pages: 5000 }, model()), LimitError);
  assertEquals([error.asked, error.limit], [{ vcpus: 5000 }, { least: 1, most: 1024 }]);
  assertEquals(error.message, "vcpus 5000: this kernel allows 1024 in a VM at most");
  const args = ["dump", "--backend", "model", "--vcpus", "5000", "--pages", "5000"];
  const { code, stderr } = await dirtyring(args);
  assertEquals([code, stderr], [3, `dirtyring: --${error.message}\n`]);
  const verbose = await dirtyring([...args, "--verbose"]);
  assertEquals(verbose.stderr.split("\n")[0], `dirtyring: LimitError: --${error.message}`);
});

Deno.test("a result says options where a command line asked for it", async () => {
  const args = ["--backend", "model", "--stores", "1000000000", "--timeout", "30ms"];
  const { code, stdout } = await dirtyring(["live", ...args, "--format", "json"]);
  assertEquals(code, 3);
  assertMatch(
    JSON.parse(stdout).error,
    /; expected --stores \d+ or fewer, or --timeout \d+s or longer$/,
  );
});

Deno.test("a failure of want keeps the names of what was asked", () => {
  const bare = new KernelError((name) => `${name("output")} a`, -24);
  const error = exhaustion(bare);
  assert(error?.said(optionFlag).startsWith("--output a: EMFILE (too many open files); "));
  assertEquals(error?.call, "output a");
  const values = { asked: { ring: 100 }, limit: { least: 256 } };
  const advised = new KernelError("x", -24, values).advising("raise it");
  assertEquals([advised.asked, advised.limit], [values.asked, values.limit]);
  assertEquals(exhaustion(error), null); // it has its advice
  assertEquals(exhaustion(new KernelError("open(a)", -2)), null);
});

Deno.test("an error without names says the same everywhere", () => {
  for (const error of [new HostError("no KVM", "load it"), new KernelError("read(a)", -5)]) {
    assert(error instanceof WordedError);
    assertEquals(error.said(optionFlag), error.message);
  }
  const witness = new HostError((name) => `${name("witness")}: no tracefs`, "mount it");
  assertEquals([witness.what, witness.message], [
    "witness: no tracefs",
    "witness: no tracefs; mount it",
  ]);
  assertEquals(witness.said(optionFlag), "--witness: no tracefs; mount it");
});

/** Where the command line is: its options are said there, and nowhere else. */
const OF_COMMAND_LINE = /^(cli|commands|report|vm)\//;

/**
 * Options that a source says by their dashes. Not this program's: Deno's, docker's; nor a whole
 * command line.
 */
function optionsSaid(text: string): string[] {
  const texts =
    codeOf(text).replace(/(?<!["'`])\/\/.*$/gm, "").match(/(["'`])(?:(?!\1)[^\\]|\\.)*\1/gs) ?? [];
  return texts.flatMap((one) => {
    const foreign = /--(?:allow|device|quiet|no|unstable)\b[\w-]*/g;
    const line = /dirtyring (?:[a-z]+ )?--[a-z-]+/g;
    return one.replace(foreign, "").replace(line, "").match(/--[a-z][a-z-]*/g) ?? [];
  });
}

Deno.test("options stand in what the command line says, and in no text of what is below", async () => {
  // A program's arguments.
  const files = (await sources()).filter(({ path }) =>
    !OF_COMMAND_LINE.test(path) && path !== "conformance/runner/child_process.ts"
  );
  const said = files.flatMap(({ path, text }) => optionsSaid(text).map((one) => `${path}: ${one}`));
  assertEquals(said, []);
  assertEquals(optionsSaid("throw new Error(`--ring ${ring}: or --gap`); // --pages"), [
    "--ring",
    "--gap",
  ]);
  assertEquals(optionsSaid('x("add --allow-ffi to deno run, and try dirtyring --trace")'), []);
});
