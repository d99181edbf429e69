// README output is real output: every console block is run again and must print the same, except
// times and what depends on them.
import { assert, assertEquals } from "@std/assert";
import { EXIT } from "../../host/errors.ts";
import { kvmModule } from "../../host/facts.ts";
import { shell } from "../support/cli.ts";
import { LIBC } from "../support/libc.ts";
import { NOT_LIVE, testUnless } from "../support/live.ts";
import { NOT_TRACEABLE } from "../support/tracing.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const README = await Deno.readTextFile(`${ROOT}README.md`);

// The outputs are of a host that emulates real mode, where the number of entries depends on it.
const MODULE = NOT_LIVE === null ? kvmModule(LIBC) : null;
const REASON = NOT_LIVE ?? (MODULE === "kvm_pvm" ? null : `README's outputs are of kvm_pvm`);

function blocks(): { command: string; output: string }[] {
  const found = README.matchAll(/```console\n\$ (.*)\n([\s\S]*?)```/g);
  return [...found].map(([, command, output]) => ({ command: command!, output: output! }));
}

// Columns move with the width of times, and repetitions with the speed of the machine. Where a
// small ring fills up, how far into the reserve it does depends on where the emulation was cut.
function timeless(command: string, text: string): string {
  // How many of a run's seconds get a line hangs on a harvest's moment.
  const whole = command.includes(" live ")
    ? text.replace(/^ +[\d.]+ s .* lost \d+\n/gm, "")
      .replace(/, and before that .*/, "")
    : text;
  const lasting = whole.replace(/^kernel .*$/gm, "kernel")
    .replace(/median of \d+ rounds?/, "median of rounds")
    .replace(/\d+(\.\d+)? (ns|µs|ms|s)\b/g, "TIME").replace(/ +/g, " ");
  // Whether a read pushes is the host's affair, and ends the comparison of a program.
  if (command.includes(" fuzz ")) {
    return lasting.replace(/^(allowed|\d+ programs? compared up).*\n/gm, "").replace(/\d+/g, "N");
  }
  return command.includes("--ring")
    ? lasting.replace(/\d+(\.\d+)?/g, "N").replace(/ █+/g, "")
      .replace(/(saved N|saved nothing|it paid|it did not pay|as fast|as slow)/g, "OUTCOME")
    : lasting;
}

for (const { command, output } of blocks()) {
  const reason = REASON ?? (command.includes("--witness") ? NOT_TRACEABLE : null);
  testUnless(reason, `README shows what \`${command}\` prints`, async () => {
    const { code, stdout, stderr } = await shell(command, ROOT);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(timeless(command, stdout), timeless(command, output));
  });
}

Deno.test("README links to files that exist", async () => {
  const links = [...README.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!);
  assert(links.length >= 4);
  for (const link of links) await Deno.stat(`${ROOT}${link}`);
});

Deno.test("README lists the exit statuses that there are", () => {
  const table = README.split("\n## Exit statuses\n")[1]!.split("\n\n")[0]!;
  const listed = [...table.matchAll(/^\| (\d[\d, ]*) \|/gm)].flatMap(([, numbers]) =>
    numbers!.split(", ").map(Number)
  );
  const up = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);
  assertEquals(up(listed), up(Object.values(EXIT)));
});
