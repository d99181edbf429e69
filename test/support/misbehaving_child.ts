// A child process with the protocol of check_child.ts. Its checks do what their ids say.
import type { CheckRun } from "../../conformance/kit/check.ts";
import { CheckHost } from "../../conformance/kit/check_host.ts";
import type { Pace } from "../../conformance/kit/pace.ts";
import { parseSetup } from "../../conformance/runner/child_process.ts";
import { linesOf, serveChecks } from "../../conformance/runner/run_check.ts";
import { noteSteps } from "../../conformance/runner/step_board.ts";
import { HostError, KernelError } from "../../ffi/errors.ts";
import { KVM_RESET_DIRTY_RINGS, KVM_RUN } from "../../ffi/kvm_ioctls.ts";
import { openLibc } from "../../ffi/libc.ts";
import { long64 } from "../../guest/long64.ts";
import { checkRun } from "./check_results.ts";

const PASS = checkRun("pass", `process ${Deno.pid}`);

const STEPS = parseSetup(Deno.args).steps ?? undefined;

let runs = 0;

const CHECKS: Readonly<Record<string, () => CheckRun | Promise<CheckRun>>> = {
  pass: () => PASS,
  fail: () => ({ ...PASS, status: "fail", detail: "what", expected: "1", seen: "2" }),
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
  "hangs-in-ioctl"() {
    const libc = openLibc();
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    const ioctl = () => Atomics.wait(nothing, 0, 0) === "ok" ? 0 : 1;
    noteSteps(libc, STEPS!)({ ...libc, ioctl }).ioctl(0, KVM_RUN, 0);
    return PASS;
  },
  "hangs-between"() {
    const libc = openLibc();
    const noting = noteSteps(libc, STEPS!)({ ...libc, ioctl: () => 0 });
    for (const request of [KVM_RUN, KVM_RESET_DIRTY_RINGS]) noting.ioctl(0, request, 0);
    for (;;);
  },
  "hangs-in-kvm-run"() {
    // The long-mode guest with a jump to itself in place of its program.
    const place = (memory: Uint8Array<ArrayBuffer>) => {
      long64.place(memory);
      memory.set([0xeb, 0xfe], long64.codeAt);
    };
    const libc = openLibc();
    const kernel = STEPS === undefined ? libc : noteSteps(libc, STEPS)(libc);
    using host = new CheckHost(kernel, { allowWarn: false, allowHarm: false });
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
  exhausted: () => Promise.reject(new KernelError("KVM_CREATE_VM", -24)),
};

const PACES: Readonly<Record<string, () => Pace | Promise<Pace>>> = {
  slow: () => ({ machineMs: 1, storeUs: 12 }),
  throws: () => Promise.reject(new Error("the kernel refused")),
  hangs: () => new Promise(() => setInterval(() => {}, 1000)),
  exits: () => Deno.exit(3),
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
    pace: async () => await PACES[Deno.args.at(-1)!]!(),
    run: async (id) => await CHECKS[id.replace(/^.*\./, "")]!(),
  });
  Deno.exit(0);
}
