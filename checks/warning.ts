import { readLine } from "../lab/read_file.ts";
import { CheckSkip } from "./check.ts";
import type { CheckHost } from "./check_host.ts";

/**
 * Skips a check that makes the kernel warn, where it must not.
 *
 * @param host The kernel, and how checks are to be made.
 * @throws {CheckSkip} Without `--allow-warn`, and where a warning is a panic.
 */
export function needsToWarn(host: CheckHost): void {
  if (!host.options.allowWarn) {
    throw new CheckSkip("the kernel would warn and be tainted: only with --allow-warn");
  }
  if (readLine(host.kernel, "/proc/sys/kernel/panic_on_warn") === "1") {
    throw new CheckSkip("the kernel would warn, and panic_on_warn is 1");
  }
}
