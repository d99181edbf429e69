// The labels of several kernels in one report, and their common exit status.
import { assert, assertEquals } from "@std/assert";
import { interruptStatus } from "../../cli/command.ts";
import {
  kernelLabels,
  kernelRuns,
  kernelsStatus,
  type NamedKernel,
} from "../../host/kernel_run.ts";
import fc from "../support/fast_check.ts";

const named = (kernel: string, release?: string, rest: Partial<NamedKernel> = {}): NamedKernel => ({
  kernel,
  kernelArgs: "",
  cpu: null,
  report: release === undefined ? null : { kernel: { release } },
  ...rest,
});

Deno.test("kernels are called by their releases where these differ", () => {
  assertEquals(
    kernelLabels([
      named("/boot/vmlinuz-6.1.0-50-amd64", "6.1.0-50-amd64"),
      named("/home/a/linux", "6.12.94"),
    ]),
    ["6.1.0-50-amd64", "6.12.94"],
  );
  assertEquals(kernelLabels([named("bzImage", "6.1")]), ["6.1"]);
  assertEquals(kernelLabels([]), []);
});

Deno.test("files of one release, and those that told none, are called by the shortest ends of their paths", () => {
  const built = "arch/x86/boot/bzImage";
  assertEquals(
    kernelLabels([named("a/bzImage", "6.12"), named("b/bzImage", "6.12"), named("c", "6.1")]),
    ["a/bzImage", "b/bzImage", "6.1"],
  );
  // A tree and the kernel that was built in it.
  assertEquals(
    kernelLabels([named(`/x/good/${built}`, "6.12"), named("/x/bad/", "6.12")]),
    ["good", "bad"],
  );
  assertEquals(kernelLabels([named("/x/good"), named("/x/bad")]), ["good", "bad"]);
  assertEquals(kernelLabels([named("bzImage"), named("a/bzImage")]), ["bzImage", "a/bzImage"]);
  assertEquals(kernelLabels([named("."), named(built)]), [".", "bzImage"]);
});

Deno.test("one kernel given again is called by what differs: arguments, processor, or a number", () => {
  const same = (...rest: Partial<NamedKernel>[]) =>
    kernelLabels(rest.map((one) => named("linux", "6.12", one)));
  assertEquals(
    same({ kernelArgs: "kasan.fault=panic" }, { kernelArgs: "kasan.fault=panic kvm_amd.npt=0" }),
    ["6.12", "6.12 kvm_amd.npt=0"],
  );
  assertEquals(same({ cpu: "amd" }, { cpu: "intel" }), ["6.12 amd", "6.12 intel"]);
  assertEquals(
    same({ cpu: "intel" }, { cpu: "intel", kernelArgs: "kvm_intel.pml=0" }, {}),
    ["6.12 intel", "6.12 kvm_intel.pml=0 intel", "6.12"],
  );
  assertEquals(same({}, {}, {}), ["6.12", "6.12 (2)", "6.12 (3)"]);
  // What it is booted on says which one it is, also where it does not boot.
  assertEquals(
    kernelLabels([named("linux", "6.12"), named("./linux", undefined, { kernelArgs: "mem=1M" })]),
    ["6.12", "6.12 mem=1M"],
  );
});

Deno.test("no two labels are the same", () => {
  const part = fc.constantFrom("a", "b", "bzImage", ".", "6.12", "6.12 (2)");
  const run = fc.record({
    kernel: fc.array(part, { maxLength: 3 }).map((parts) => parts.join("/")),
    kernelArgs: fc.constantFrom("", "x", "x y", "(2)"),
    cpu: fc.constantFrom(null, "amd", "intel"),
    report: fc.constantFrom(null, { kernel: { release: "6.12" } }, { kernel: { release: "a" } }),
  });
  fc.assert(fc.property(fc.array(run, { maxLength: 6 }), (runs) => {
    const labels = kernelLabels(runs);
    assertEquals([labels.length, new Set(labels).size], [runs.length, runs.length]);
  }));
});

Deno.test("the exit status: a failed kernel, an interrupt, a VM that failed, then the rest", () => {
  const { SIGINT, SIGTERM } = {
    SIGINT: interruptStatus("SIGINT"),
    SIGTERM: interruptStatus("SIGTERM"),
  };
  assertEquals(kernelsStatus([0, 0], 0), 0);
  assertEquals(kernelsStatus([], 0), 0);
  assertEquals(kernelsStatus([125, 70, 1, 0], SIGINT), 1);
  assertEquals(kernelsStatus([125, 0], SIGINT), 130);
  assertEquals(kernelsStatus([0, 0], SIGTERM), 143);
  const order = [125, 70, 2, 3, 141, 4];
  for (const n of order.keys()) {
    assertEquals(kernelsStatus([0, ...order.slice(n).reverse()], 0), order[n]);
  }
  assertEquals(kernelsStatus([0, 137, 99], 0), 137);
});

Deno.test("all is well where each kernel's status is 0, and nothing was interrupted", () => {
  const run = (status: number) => ({
    kernel: "a",
    kernelArgs: "",
    cpu: null,
    report: null,
    problem: null,
    console: [],
    status,
  });
  assert(kernelRuns([run(0), run(0)], null).ok);
  assert(!kernelRuns([run(0), run(4)], null).ok);
  assert(!kernelRuns([run(0)], "SIGINT").ok);
  assertEquals(kernelRuns([run(0), run(0)], null).kernels.map(({ label }) => label), [
    "a",
    "a (2)",
  ]);
});
