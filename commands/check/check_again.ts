// How to see failed checks again.
import { hasFailed } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { againText, asksMachine } from "../../report/again.ts";
import type { Page } from "../../report/page.ts";

/** Options of the command line that a check depends on. */
const KEPT: readonly string[] = [
  ...["backend", "model", "kernel", "modules", "kernel-args", "vm-accel", "vm-cpu", "vm-cpus"],
  ...["vm-memory", "allow-warn", "allow-harm", "timeout", "repeat", "strict"],
];
/** Those of them that take no value. */
const FLAGS: readonly string[] = ["allow-warn", "allow-harm", "strict"];

/**
 * Formats the command lines that make failed checks again and trace them; nothing if none failed.
 *
 * @returns Lines with their ends.
 */
export function* checkAgainText(
  { checks, kernel, strict }: CheckReport,
  { commandLine }: Page,
): Generator<string> {
  const failed = checks.filter((check) => hasFailed(check, strict)).map(({ id }) => id);
  if (failed.length === 0) return;
  const kept = keptOptions(commandLine);
  yield* againText({
    commandLine: ["dirtyring", "check", ...kept, "--only", failed.join()],
    isTraceable: kernel.backend === "kvm" && !asksMachine(kept),
  });
}

// The words of a command line that belong to options which a check depends on.
function keptOptions(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let n = 0; n < words.length && words[n] !== "--"; n++) {
    const word = words[n]!;
    const name = /^--([\w-]+)/.exec(word)?.[1];
    if (name === undefined || !KEPT.includes(name)) continue;
    kept.push(word);
    if (!word.includes("=") && !FLAGS.includes(name)) kept.push(words[++n] ?? "");
  }
  return kept;
}
