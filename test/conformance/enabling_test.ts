import { assert, assertEquals } from "@std/assert";
import { enable } from "../../commands/enable/enable.ts";
import { probe } from "../../commands/probe/probe.ts";
import { enablingCases, runEnablingCase } from "../../conformance/kit/enabling_cases.ts";
import { KVM_ENABLE_CAP } from "../../ffi/kvm_ioctls.ts";
import { System } from "../../kvm/system.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest } from "../support/live.ts";

const FACTS = { largest: 1048576, smallest: 4096, acquireRelease: true };

liveTest("every case of the enabling statements is answered as documented", () => {
  const { cases, ring } = enable(LIBC, 65536, true);
  assertEquals(cases!.filter(({ ok }) => !ok), []);
  assertEquals([ring.entries, ring.softLimit], [4096, 4096 - ring.reserved!]);
});

liveTest("a kernel that answers otherwise is marked", () => {
  using system = System.open({
    ...LIBC,
    ioctl: (fd, request, argument) => {
      const answer = LIBC.ioctl(fd, request, argument);
      return request === KVM_ENABLE_CAP ? -12 - answer : answer;
    },
  });
  for (const one of enablingCases(FACTS)) {
    if (one.ask !== "KVM_ENABLE_CAP" || one.before.startsWith("ring")) continue;
    const { ok, name } = runEnablingCase(system, 4096, one);
    assertEquals(ok, false, name);
  }
});

liveTest("a kernel with another lower limit is marked", () => {
  const { cases, ring } = enable(
    {
      ...LIBC,
      ioctl: (fd, request, argument) => {
        const isSmall = request === KVM_ENABLE_CAP && typeof argument === "object" &&
          new DataView(argument.buffer).getUint32(8, true) < 65536;
        return isSmall ? -22 : LIBC.ioctl(fd, request, argument);
      },
    },
    65536,
    true,
  );
  assertEquals([ring.reserved, cases!.some(({ ok }) => !ok)], [null, true]);
});

Deno.test("the table of cases has every enabling statement that a live kernel can show", () => {
  const ids = new Set(enablingCases({ ...FACTS, smallest: 16384 }).map(({ id }) => id));
  assertEquals([...ids].sort(), [
    "cap.acq-rel",
    "cap.max-bytes",
    "cap.with-bitmap",
    "enable.before-vcpus",
    "enable.bytes",
    "enable.flags-ignored",
    "enable.on-vm-fd",
    "enable.once",
    "enable.power-of-two",
    "enable.size-first",
    "enable.slots-may-exist",
    "enable.too-big",
    "enable.too-small",
    "enable.u32",
    "limit.pml-minimum",
  ]);
});

Deno.test("the cases go by what the kernel reports", () => {
  const old = enablingCases({ ...FACTS, acquireRelease: false });
  const acqRel = old.filter(({ id }) => id === "cap.acq-rel");
  assertEquals(acqRel.map(({ expected }) => expected), [[0], ["EINVAL"]]);
  const pml = enablingCases({ ...FACTS, smallest: 16384 });
  const small = pml.filter(({ argument, before }) => argument === 8192n && before === "fresh");
  assertEquals(small.map(({ expected }) => expected), [["EINVAL"]]);
});

liveTest("probe() answers what the kernel offers", () => {
  const result = probe(LIBC);
  assertEquals([result.usable, result.problems, result.apiVersion], [true, [], 12]);
  const { maxEntries, minEntries, softLimitOfMax, reserved } = result.ring!;
  assertEquals(maxEntries * 16, result.kernel.ringMaxBytes);
  assert(minEntries >= 256 && softLimitOfMax === maxEntries - reserved!);
});

Deno.test("probe() says what is missing, step by step, where /dev/kvm cannot be opened", () => {
  const result = probe({ ...LIBC, open: () => -13, statx: () => -2 });
  assertEquals([result.usable, result.device, result.ring], [false, null, null]);
  assertEquals(result.problems.length, 1);
  assert(result.problems[0]!.what.includes("EACCES"));
});

liveTest("probe() tells a kernel without dirty rings", () => {
  const result = probe({
    ...LIBC,
    ioctl: (fd, request, argument) =>
      request === 0xae03 && argument === 192 ? 0 : LIBC.ioctl(fd, request, argument),
  });
  assertEquals([result.usable, result.apiVersion, result.ring], [false, 12, null]);
  assert(result.problems[0]!.what.includes("no dirty ring"));
});
