// The process in which `dirtyring check` runs its checks, so that a check that hangs or crashes
// fails alone. It reads the ids of checks from standard input, one on each line, and answers on
// standard output with one JSON object on each line.
import { CheckHost } from "./conformance/kit/check_host.ts";
import { measurePace } from "./conformance/kit/pace.ts";
import { parseSetup } from "./conformance/runner/child_process.ts";
import { linesOf, runCheck, serveChecks } from "./conformance/runner/run_check.ts";
import { noteSteps } from "./conformance/runner/step_board.ts";
import { ALL_CHECKS } from "./conformance/statements/all_checks.ts";
import type { TraceOrder } from "./ffi/kernel.ts";
import { openKernel, parseModel } from "./host/backend.ts";
import { printableLine } from "./text/printable.ts";

// Loaded late: few checks are traced.
async function writerOf(trace: TraceOrder): Promise<(call: string) => void> {
  const { traceWriter } = await import("./host/tracing.ts");
  return traceWriter(trace, Deno.pid);
}

if (import.meta.main) {
  const setup = parseSetup(Deno.args);
  const say = (line: string) => console.error(printableLine(line));
  const selection = {
    backend: setup.backend,
    model: setup.model === undefined ? undefined : parseModel(setup.model),
  };
  const { allowWarn, allowHarm, trace, steps } = setup;
  let noting: ReturnType<typeof noteSteps> | undefined;
  const open = async () => {
    const kernel = await openKernel(selection, trace === null ? null : await writerOf(trace), say);
    return steps === null ? kernel : (noting ??= noteSteps(kernel, steps))(kernel);
  };
  const encoder = new TextEncoder();
  await serveChecks({
    ids: linesOf(Deno.stdin.readable),
    write(line) {
      // If the parent is gone, the write fails and ends this process.
      let bytes = encoder.encode(line);
      while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    },
    async run(id) {
      const check = ALL_CHECKS.find((one) => one.id === id);
      if (check === undefined) throw new TypeError(`no check has the id ${id}`);
      return await runCheck(check, await open(), { allowWarn, allowHarm });
    },
    async pace() {
      // This is not part of any check, so it is not traced.
      using host = new CheckHost(await openKernel(selection, null, say), { allowWarn, allowHarm });
      return measurePace(host);
    },
  });
  // Exit explicitly: whatever a check left behind must not keep the process alive.
  Deno.exit(0);
}
