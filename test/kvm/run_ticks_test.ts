// Signals that are blocked for a while, on the real thread: no KVM is needed for that.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { SIGSET_BYTES, SIGUSR1 } from "../../ffi/linux.ts";
import { BlockedSignal, RunTicks } from "../../kvm/run_ticks.ts";
import { openModel } from "../../model/model_kernel.ts";
import { LIBC } from "../support/libc.ts";

const SIGUSR2 = 12;

// Whether the calling thread has a signal blocked: the mask is read by setting it as a whole, and set back.
function isBlocked(signal: number, kernel = LIBC): boolean {
  const mask = new Uint8Array(SIGSET_BYTES);
  assertEquals(kernel.sigmask(new Uint8Array(SIGSET_BYTES).fill(0xff), mask), 0);
  assertEquals(kernel.sigmask(mask, null), 0);
  return (mask[(signal - 1) >> 3]! & 1 << ((signal - 1) & 7)) !== 0;
}

Deno.test("a signal is blocked until the last who blocked it has ended, in whichever order", () => {
  const first = new BlockedSignal(LIBC, SIGUSR1);
  const second = new BlockedSignal({ ...LIBC, backend: "kvm" }, SIGUSR1); // as who traces a kernel
  first.raise();
  first[Symbol.dispose]();
  assert(isBlocked(SIGUSR1), "the second has it blocked");
  second.raise(); // unblocked, it would end this process
  assertEquals([second.take(), second.take()], [SIGUSR1, -ERRNO.EAGAIN]);
  second[Symbol.dispose]();
  assert(!isBlocked(SIGUSR1));
});

Deno.test("a signal that is unblocked leaves another that was blocked meanwhile", () => {
  const first = new BlockedSignal(LIBC, SIGUSR1);
  const other = new BlockedSignal(LIBC, SIGUSR2);
  first[Symbol.dispose]();
  assertEquals([isBlocked(SIGUSR1), isBlocked(SIGUSR2)], [false, true]);
  other[Symbol.dispose]();
  assert(!isBlocked(SIGUSR2));
});

Deno.test("the VMs of a thread share a timer, which stops with the last of them", () => {
  const calls: string[] = [];
  const noting: Kernel = {
    ...LIBC,
    startTimer(signal, microseconds) {
      calls.push("start");
      return LIBC.startTimer(signal, microseconds);
    },
    deleteTimer(timer) {
      calls.push("delete");
      return LIBC.deleteTimer(timer);
    },
  };
  const [first, second, third] = [1, 2, 3].map(() => RunTicks.start(noting)!);
  first![Symbol.dispose]();
  third![Symbol.dispose]();
  assert(isBlocked(SIGUSR1));
  assertEquals(calls, ["start"], "a timer each would tick three times as often");
  second![Symbol.dispose]();
  assert(!isBlocked(SIGUSR1));
  RunTicks.start(noting)![Symbol.dispose]();
  assertEquals(calls, ["start", "delete", "start", "delete"]);
});

// Newer kernels than 6.12 take a timer's signal back with the timer, and are right in any case.
Deno.test("no signal is left pending, however many timers had one queued", () => {
  const signal = new BlockedSignal(LIBC, SIGUSR1);
  const timers = [1, 2, 3].map(() => LIBC.startTimer(SIGUSR1, 1000));
  // Each has ticked when five have been taken: a timer has at most one queued.
  for (let taken = 0; taken < 5;) taken += Number(signal.take() === SIGUSR1);
  for (const end = performance.now() + 20; performance.now() < end;); // and once more
  for (const timer of timers) assertEquals(LIBC.deleteTimer(timer), 0);
  signal[Symbol.dispose](); // unblocks the signal: one that is left would end this process
  assert(!isBlocked(SIGUSR1));
});

Deno.test("each model has a mask of its own", () => {
  const [one, other] = [0, 1].map(() =>
    openModel({ version: "latest", pml: false, emulator: false })
  );
  const ticks = RunTicks.start(one!)!;
  assertEquals([isBlocked(SIGUSR1, one), isBlocked(SIGUSR1, other), isBlocked(SIGUSR1)], [
    true,
    false,
    false,
  ]);
  ticks[Symbol.dispose]();
  assert(!isBlocked(SIGUSR1, one));
});
