import { readLine } from "../lab/read_file.ts";
import { CheckSkip, CheckWithheld } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";

/**
 * Skips a check that makes the kernel warn, where it must not.
 *
 * @param host The kernel, and how checks are to be made.
 * @throws {CheckSkip} Without `--allow-warn`, and where a warning is a panic.
 */
export function needsToWarn(host: CheckHost): void {
  if (!host.options.allowWarn) {
    throw new CheckWithheld("the kernel would warn and be tainted", "allow-warn");
  }
  if (readLine(host.kernel, "/proc/sys/kernel/panic_on_warn") === "1") {
    throw new CheckSkip("the kernel would warn, and panic_on_warn is 1");
  }
}

/**
 * Skips a check that could make a kernel write where it must not.
 *
 * @param host The kernel, and how checks are to be made.
 * @throws {CheckSkip} On a real kernel without `--allow-harm`.
 */
export function needsToHarm(host: CheckHost): void {
  if (host.kernel.insight !== null || host.options.allowHarm) return;
  throw new CheckWithheld("a kernel without the fix could be harmed", "allow-harm");
}
