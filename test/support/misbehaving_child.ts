// A child that speaks to its parent as check_child.ts does, and whose checks are what their ids say.
import { CheckHost } from "../../checks/check_host.ts";
import type { CheckRun } from "../../checks/check_result.ts";
import { linesOf } from "../../checks/lines.ts";
import { serveChecks } from "../../checks/serve_checks.ts";
import { HostError } from "../../ffi/host_error.ts";
import { openLibc } from "../../ffi/libc.ts";
import { long64 } from "../../guest/long64.ts";

const PASS: CheckRun = {
  status: "pass",
  detail: `process ${Deno.pid}`,
  expected: null,
  seen: null,
  ms: 1,
};

let runs = 0;

const CHECKS: Readonly<Record<string, () => CheckRun | Promise<CheckRun>>> = {
  pass: () => PASS,
  fail: () => ({ status: "fail", detail: "what", expected: "1", seen: "2", ms: 1 }),
  skip: () => ({ ...PASS, status: "skip", detail: "no such processor" }),
  known: () => ({ ...PASS, status: "known", detail: "a page was lost" }),
  "every-second": () => runs++ % 2 === 0 ? PASS : { ...PASS, status: "fail", detail: "odd" },
  prints() {
    console.log('a line of its own\n{"kind":"neither"}');
    return PASS;
  },
  "hangs-busy"() {
    for (;;);
  },
  "hangs-in-kvm-run"() {
    // The long-mode guest with a jump to itself in place of its program.
    const place = (memory: Uint8Array<ArrayBuffer>) => {
      long64.place(memory);
      memory.set([0xeb, 0xfe], long64.codeAt);
    };
    using host = new CheckHost(openLibc(), { allowWarn: false });
    const machine = host.machine({ guest: { ...long64, place } });
    machine.store(0, [machine.gfn]);
    return PASS;
  },
  "hangs-waiting": () => {
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  },
  throws: () => Promise.reject(new Error("thrown by a check")),
  "throws-later"() {
    setTimeout(() => {
      throw new Error("thrown after a while");
    });
    return new Promise(() => {});
  },
  exits: () => Deno.exit(0),
  "exits-7": () => Deno.exit(7),
  "killed-9": () => killed("SIGKILL"),
  segfaults() {
    const nothing = new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!);
    return { ...PASS, detail: `${nothing.getUint8()}` };
  },
  "killed-term": () => killed("SIGTERM"),
  unusable: () => Promise.reject(new HostError("no such host", "get another")),
};

function killed(signal: Deno.Signal): Promise<CheckRun> {
  Deno.kill(Deno.pid, signal);
  return new Promise(() => {});
}

if (import.meta.main) {
  if (Deno.args.includes("--does-not-begin")) throw new Error("this child does not begin");
  const encoder = new TextEncoder();
  await serveChecks({
    ids: linesOf(Deno.stdin.readable),
    write: (line) => void Deno.stdout.writeSync(encoder.encode(line)),
    run: async (id) => await CHECKS[id.replace(/^.*\./, "")]!(),
  });
  Deno.exit(0);
}
