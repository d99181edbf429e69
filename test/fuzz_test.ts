// Random programs on a real kernel and on the model; and on kernels that lie, which must be found.
import { assert, assertEquals } from "@std/assert";
import { fuzz, replay } from "../checks/fuzz.ts";
import { generateProgram } from "../checks/fuzz_generate.ts";
import type { FuzzResult } from "../checks/fuzz_result.ts";
import { KVM_RESET_DIRTY_RINGS } from "../ffi/kvm_ioctls.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { Interrupt } from "../lab/interrupt.ts";
import { openModel } from "../model/model_kernel.ts";
import { LIBC } from "./support/libc.ts";
import { liveTest } from "./support/live.ts";

const model = () => openModel({ version: "latest", pml: false, emulator: false });

async function compare(real: Kernel, programs: number, seed = 1): Promise<FuzzResult> {
  using interrupt = new Interrupt();
  return await fuzz(real, model(), { programs, seed }, interrupt);
}

liveTest("200 random programs come to the same on this kernel and on the model", async () => {
  const { ok, mismatch, programs, calls, entries } = await compare(LIBC, 200);
  assertEquals([ok, mismatch, programs], [true, null, 200]);
  assert(calls > 2000 && entries > 5000, `${calls} calls, ${entries} entries`);
});

Deno.test("the same seed gives the same programs, another one others", () => {
  const text = (seed: number, n: number) => JSON.stringify(generateProgram(seed, n));
  assertEquals(text(1, 5), text(1, 5));
  assert(text(1, 5) !== text(1, 6) && text(1, 5) !== text(2, 5));
});

// The model, but for one answer.
function lying(change: (answer: number) => number): Kernel {
  const kernel = model();
  return {
    ...kernel,
    ioctl: (fd, request, argument) => {
      const answer = kernel.ioctl(fd, request, argument);
      return request === KVM_RESET_DIRTY_RINGS ? change(answer) : answer;
    },
  };
}

Deno.test("a kernel that counts wrong is found, and the program is shrunk and can be replayed", async () => {
  const liar = lying((answer) => answer > 40 ? answer - 1 : answer);
  const { ok, mismatch } = await compare(liar, 200);
  assertEquals(ok, false);
  assert(mismatch !== null);
  assert(mismatch.shrunk.ops.length <= 4, JSON.stringify(mismatch.shrunk.ops));
  assert(mismatch.shrunk.ops.length < mismatch.program.ops.length);
  using interrupt = new Interrupt();
  const again = await replay(liar, model(), mismatch.shrunk, interrupt);
  assertEquals([again.ok, again.mismatch?.step], [false, mismatch.step]);
  const honest = await replay(model(), model(), mismatch.shrunk, interrupt);
  assertEquals(honest.ok, true);
});

Deno.test("the model agrees with itself", async () => {
  const { ok, programs } = await compare(model(), 50, 3);
  assertEquals([ok, programs], [true, 50]);
});
