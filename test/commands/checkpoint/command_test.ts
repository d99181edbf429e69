// `dirtyring checkpoint` and `dirtyring restore` as command lines: options, statuses, formats, a full disk, signals.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { forge } from "../../support/checkpoint_files.ts";
import { denoArgs, dirtyring, RunningCli } from "../../support/cli.ts";
import { elsewhere, NO_NAMESPACE } from "../../support/elsewhere.ts";
import { Folder, inFolder } from "../../support/folder.ts";
import { liveTest, testUnless } from "../../support/live.ts";

const MODEL = ["checkpoint", "--backend", "model"];
const RESTORE = ["restore", "--backend", "model"];
const SHORT = [...MODEL, "--epochs", "3", "--interval", "5ms"];

async function refused(args: readonly string[], message: string): Promise<void> {
  const { code, stdout, stderr } = await dirtyring(args);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, message);
  assertEquals(stderr.trim().split("\n").length, 1);
}

Deno.test("checkpoint prints epochs, the parts of a pause and the verdict", async () => {
  const { code, stdout, stderr } = await dirtyring([...SHORT, "--max-dirty", "300", "--times"]);
  assertEquals([code, stderr], [0, ""]);
  const shape = stdout.replaceAll(/\d+(\.\d+)? (ns|µs|ms|s)\b/g, "TIME").replaceAll(/ +/g, " ");
  assertStringIncludes(shape, "real16 guest, 2 vCPUs in slices, 64 MiB in 1 slot, rings of 4096");
  assertStringIncludes(shape, "epochs TIME, or 300 dirty pages, tracking ring\n");
  assertStringIncludes(shape, "\n 1 TIME interval 0 256 0 TIME\n");
  assertStringIncludes(shape, "\n copy of dirty pages TIME TIME TIME\n");
  assertStringIncludes(stdout, "These are times of the model, in memory: no kernel's.");
  assertMatch(
    stdout,
    /\nok: after 3 epochs and \d+ stores the replica is the guest's memory, byte for byte\n$/,
  );
});

Deno.test("checkpoint takes --max-dirty with a ring alone", async () => {
  for (const tracking of ["bitmap", "bitmap-manual"]) {
    await refused(
      [...MODEL, "--tracking", tracking, "--max-dirty", "10"],
      `--max-dirty 10: works with --tracking ring alone; with a ${tracking} nothing stops the guest`,
    );
  }
});

Deno.test("checkpoint answers JSON, and streams NDJSON with the same fields", async () => {
  const whole = JSON.parse((await dirtyring([...SHORT, "--format", "json"])).stdout);
  assertEquals([whole.schema, whole.equal], ["dirtyring.checkpoint/1", true]);
  const { stdout } = await dirtyring([...SHORT, "--format", "ndjson"]);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.length, 4);
  const { epochs, ...rest } = whole;
  assertEquals(lines.slice(0, 3).map(Object.keys), epochs.map(Object.keys));
  assertEquals(Object.keys(lines[3]), Object.keys(rest));
});

Deno.test("checkpoint writes files that restore goes on from", async () => {
  await inFolder(async (folder) => {
    const output = `${folder}/files`;
    const kept = await dirtyring([...SHORT, "--into", output]);
    assertEquals([kept.code, kept.stderr], [0, ""]);
    assertStringIncludes(kept.stdout, `4 files in ${output}, `);
    const restored = await dirtyring([...RESTORE, output]);
    assertEquals([restored.code, restored.stderr], [0, ""]);
    assertMatch(restored.stdout, /\nok: epoch 3 restored, [^\n]* went on without a step lost\n$/);
    await refused([...SHORT, "--into", output], "holds epoch-00000");
    await refused([...RESTORE, output, "--vcpus", "3"], "unknown option --vcpus");
    await refused(RESTORE, "restore: DIR is missing; expected dirtyring restore DIR [OPTION ...]");
    await refused([...RESTORE, output, "x"], "unexpected x; expected dirtyring restore DIR");
    await refused([...RESTORE, ""], 'restore "": expected the name of a folder');

    for (const stray of ["epoch-0000002.ckpt", "epoch-000002-full.ckpt"]) {
      await Deno.writeTextFile(`${output}/${stray}`, "x");
    }
    const beside = await dirtyring([...RESTORE, output]);
    assertEquals([beside.code, beside.stderr], [
      0,
      `dirtyring: ${output}: passed over epoch-0000002.ckpt, epoch-000002-full.ckpt: no checkpoint has ` +
      "such a name\n",
    ]);
    assertStringIncludes(beside.stdout, "\nok: epoch 3 restored, ");
    for (const stray of ["epoch-0000002.ckpt", "epoch-000002-full.ckpt"]) {
      await Deno.remove(`${output}/${stray}`);
    }

    await Deno.truncate(`${output}/epoch-000003.ckpt`, 6000);
    const torn = await dirtyring([...RESTORE, output, "--format", "json"]);
    assertEquals(torn.code, 0);
    assertMatch(
      torn.stderr,
      /^dirtyring: \S+epoch-000003.ckpt: truncated: 6000 of \d+ bytes; epoch 2 is restored\n$/,
    );
    const { epoch, skipped, ok, schema } = JSON.parse(torn.stdout);
    assertEquals([schema, epoch, ok], ["dirtyring.restore/1", 2, true]);
    assertEquals([skipped.length, skipped[0].file], [1, "epoch-000003.ckpt"]);
    const line = await dirtyring([...RESTORE, output, "--format", "ndjson"]);
    assertEquals(JSON.parse(line.stdout).epoch, 2);

    await forge(`${output}/epoch-000002.ckpt`, (bytes, { pages }) => bytes[pages]! ^= 1);
    const wrong = await dirtyring([...RESTORE, output]);
    assertEquals(wrong.code, 1);
    assertMatch(
      wrong.stdout,
      /WRONG: 1 page, as restored\n {2}slot 1, offset 0, .* expected \d+\n/,
    );
    assertStringIncludes(wrong.stdout, "FAILED: the machine does not go on where it was");

    await Deno.remove(`${output}/epoch-000000-full.ckpt`);
    await refused([...RESTORE, output], "epoch-000000-full.ckpt: missing");
  });
});

Deno.test("checkpoint names a folder that cannot be written to", async () => {
  await refused([...SHORT, "--into", "/nowhere/at/all"], "/nowhere/at/all: ENOENT");
  await refused([...SHORT, "--into", ""], "expected the name of a folder");
});

testUnless(
  NO_NAMESPACE,
  "checkpoint on a full disk ends with status 3, and what is whole can be restored",
  async () => {
    await using made = await Folder.make();
    const folder = made.path;
    const keep = `dirtyring ${[...MODEL, "--interval", "5ms", "--epochs", "99"].join(" ")}`;
    const { stdout, stderr } = await elsewhere(
      `mount -t tmpfs -o size=3500k none ${folder}`,
      `{ ${keep} --into ${folder}/x; echo status $?; ls ${folder}/x; ` +
        `dirtyring ${RESTORE.join(" ")} ${folder}/x; echo status $?; }`,
    );
    const said =
      /^dirtyring: write\((\S+)\/x\/epoch-00000(\d)\.ckpt\.part\): ENOSPC \(no space left\); /;
    const [, where, number] = said.exec(stderr)!;
    const last = Number(number) - 1;
    assertEquals(where, folder);
    assert(last >= 1);
    assertStringIncludes(stderr, `epoch ${last} is the last whole one`);
    assertStringIncludes(stdout, `ended early: write(`);
    assertStringIncludes(stdout, `up to epoch ${last}\n`);
    const files = stdout.split("\n").filter((line) => line.startsWith("epoch-"));
    assertEquals(files.length, last + 1);
    assertEquals(files.filter((file) => file.includes(".part")), []);
    assertEquals(stdout.match(/^status \d+$/gm), ["status 3", "status 0"]);
    assertStringIncludes(stdout, `ok: epoch ${last} restored`);
  },
);

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  liveTest(
    `${signal} ends checkpoint in order: no page differs, and files are whole`,
    async () => {
      await inFolder(async (folder) => {
        const output = `${folder}/files`;
        const args = ["checkpoint", "--duration", "60m", "--into", output, "--format", "json"];
        const child = new RunningCli([...args, "--trace"]);
        await child.prints("stderr", "KVM_RESET_DIRTY_RINGS", 3); // at least one at an epoch's end
        const { code, stdout } = await child.ends(signal);
        const result = JSON.parse(stdout);
        assertEquals([code, result.interrupted, result.ok], [status, signal, true]);
        // A signal leaves a quarter of a second to compare; restore proves below that it was equal.
        assert(result.equal !== false);
        assertEquals(result.epochs.at(-1).endedBy, "interrupt");
        assertEquals(result.output.lastEpoch, result.epochCount);
        const restored = await dirtyring(["restore", output]);
        assertEquals([restored.code, restored.stderr], [0, ""]);
        assertStringIncludes(restored.stdout, `ok: epoch ${result.epochCount} restored`);
      });
    },
  );
}

liveTest("checkpoint ends when nobody reads its stream any more", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs(["checkpoint", "--duration", "60m", "--interval", "5ms", "--format", "ndjson"]),
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertStringIncludes(new TextDecoder().decode((await reader.read()).value), '{"epoch":1,');
  await reader.cancel();
  const [{ code }, error] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assertEquals([code, error], [141, ""]);
});
