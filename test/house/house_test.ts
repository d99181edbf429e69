// Rules of the architecture: one folder uses the unsafe classes, one file loads libc, one file
// picks a kernel, three harvest and reset, and only programs print and exit.
import { assertEquals } from "@std/assert";
import { codeOf, type Source } from "../support/imports.ts";
import { FACE, PROGRAMS, programs, ROOT, sources } from "../support/sources.ts";

// What the rule above cannot see: what the programs name.
Deno.test("only the place that picks a kernel names the model", async () => {
  const naming = (files: readonly Source[]) =>
    files.filter(({ text }) => /\bmodel\//.test(codeOf(text))).map(({ path }) => path);
  assertEquals(naming([...await sources(), ...await programs()]), ["host/backend.ts"]);
  const text = 'const x = import(new URL("../model/rules.ts", import.meta.url).href);';
  assertEquals(naming([{ folder: "checks", path: "x.ts", text }]), ["x.ts"]);
});

Deno.test("unsafe classes stand in ffi/ alone, and libc is loaded in one file", async () => {
  const files = await sources();
  const naming = (word: string) =>
    files.filter(({ text }) => text.includes(word)).map(({ path }) => path);
  assertEquals(naming("Deno.Unsafe").toSorted(), ["ffi/libc.ts", "ffi/machine.ts"]);
  assertEquals(naming("Deno.dlopen("), ["ffi/libc.ts"]);
});

// Anywhere else a guest that never exits would hold the program: kvm/vcpu.ts lets go at each tick
// (runBriefly), a vCPU's thread is kicked, and what conformance/ does is done in a child that is
// ended from outside.
Deno.test("KVM_RUN is called where it holds nobody for good", async () => {
  const files = (await sources()).filter(({ folder }) => !["ffi", "model"].includes(folder));
  const naming = (word: RegExp) =>
    files.filter(({ text }) => word.test(codeOf(text))).map(({ path }) => path).toSorted();
  assertEquals(naming(/import \{[^}]*\bKVM_RUN\b[^}]*\} from/), [
    "conformance/statements/mapping.ts",
    "drive/run_worker.ts",
    "drive/vcpu_thread.ts",
    "kvm/vcpu.ts",
  ]);
  assertEquals(naming(/run_beside\.ts"/).filter((path) => !path.startsWith("conformance/")), []);
  const raw = naming(/\b(vcpu|one)!?\.run\(\)/).filter((path) => !path.startsWith("conformance/"));
  assertEquals(raw, ["kvm/vcpu.ts"]); // with immediate_exit, which returns at once
});

/**
 * Who calls `KVM_RESET_DIRTY_RINGS`, of the files above the kernel, and whether the file harvests
 * as well.
 */
function resetting(files: readonly Source[]): string[] {
  const calls = /\.resetDirtyRings\(|\.ioctl\w*\([^;]*\bKVM_RESET_DIRTY_RINGS\b/;
  const harvests = /^import \{[^}]*\bHarvester\b[^}]*\} from|^ {2}harvest\(/m;
  return files.filter(({ folder }) => !["ffi", "kvm", "model"].includes(folder))
    .filter(({ text }) => calls.test(codeOf(text)))
    .map(({ path, text }) => `${path}${harvests.test(codeOf(text)) ? ": harvests, too" : ""}`)
    .toSorted();
}

Deno.test("three places harvest and reset, and one of them is the cycle's", async () => {
  assertEquals(resetting([...await sources(), ...await programs()]), [
    "conformance/kit/machine.ts: harvests, too", // raw: a check must be able to do it wrong
    "conformance/statements/reset_worker.ts", // many threads at once
    "conformance/statements/resetting.ts", // another process, which is refused
    "drive/vcpu_thread.ts: harvests, too", // a vCPU's own thread
    "machine/kernel_state.ts", // asks for indices: nothing is harvested then
    "machine/ring_tracker.ts: harvests, too",
  ]);
});

Deno.test("another place that harvests and resets is found", () => {
  const found = (folder: string, text: string) => resetting([{ folder, path: "x.ts", text }]);
  const harvester = 'import { Harvester } from "../ring/harvest.ts";\n';
  const reset = "const { count } = vm.resetDirtyRings();";
  assertEquals(found("lab", reset), ["x.ts"]);
  assertEquals(found("lab", harvester + reset), ["x.ts: harvests, too"]);
  assertEquals(found("lab", `${harvester}kernel.ioctl(fd, KVM_RESET_DIRTY_RINGS, 0);`), [
    "x.ts: harvests, too",
  ]);
  assertEquals(found("checks", "libc.ioctlElsewhere(fd,\n  KVM_RESET_DIRTY_RINGS)"), ["x.ts"]);
  assertEquals(found("lab", "// vm.resetDirtyRings()\nlog(`KVM_RESET_DIRTY_RINGS ${n}`);"), []);
  assertEquals(found("kvm", reset), []);
});

// What a person sees when counts differ, or a ring is wedged: each stands once.
Deno.test("what a cycle tells stands once", async () => {
  const words = [
    /an in-order harvest cannot go on/,
    /that an in-order harvest does not reach/,
    /KVM_RESET_DIRTY_RINGS returned/,
    /harvested entries that were not reset/,
  ];
  const files = await sources();
  for (const word of words) {
    const found = files.flatMap(({ path, text }) =>
      codeOf(text).split(word).slice(1).map(() => path)
    );
    // A report tells what a reset returned, also where it is right.
    assertEquals(
      found.filter((path) => !path.startsWith("report/") && !path.endsWith("_text.ts")),
      ["drive/harvest_cycle.ts"],
    );
  }
});

// Crossings that hand memory over, or make it: each with the lines that stand before it.
function unexplainedCrossings(text: string): string[] {
  const lines = text.split("\n");
  const crossing = new RegExp(
    /\.getArrayBuffer\(|libc\.(open|read|ioctl_struct|mmap|munmap)\(| signal\(SIGALRM|answer\(setitimer\(/
      .source +
      /|\)\.(statx|pthread_sigmask|sigtimedwait)\(| = syscall_perf\(|Number\(pread\(|\)\.madvise\(/
        .source +
      /|libc\.(mount|syscall_init_module|execv|memfd_create|write)\(|UnsafePointer\.of\(/.source,
  );
  return lines.filter((line, n) =>
    crossing.test(line) &&
    !lines.slice(Math.max(0, n - 8), n).some((one) => one.includes("SAFETY:"))
  );
}

Deno.test("every crossing says why it is safe", async () => {
  const files = await Promise.all(
    ["libc.ts", "machine.ts", "process.ts"].map((name) =>
      Deno.readTextFile(new URL(`ffi/${name}`, ROOT))
    ),
  );
  assertEquals(files.flatMap(unexplainedCrossings), []);
  const without = files.map((text) => unexplainedCrossings(text.replaceAll("SAFETY:", "")).length);
  assertEquals(without, [16, 4, 2]);
});

Deno.test("only the programs exit, and print, or have cli/printing.ts do it", async () => {
  const printing = (await sources()).filter(({ text }) =>
    /(?<![#./\w])console\.|Deno\.(exit|stdout|stderr)\b/.test(codeOf(text))
  );
  // A program, too: one that another process of this program runs; and what traces calls on the
  // threads of vCPUs, which have no other way out.
  const paths = printing.map(({ path }) => path);
  assertEquals(paths.toSorted(), ["cli/printing.ts", "ffi/other_process.ts", "host/tracing.ts"]);
  const exiting = printing.filter(({ text }) => codeOf(text).includes("Deno.exit"));
  assertEquals(exiting.map(({ path }) => path), []);
  const others = (await programs()).filter(({ path }) => ![...PROGRAMS, FACE].includes(path));
  assertEquals(others.map(({ path }) => path), []);
});

Deno.test("no file is longer than 400 lines", async () => {
  const long = [...await sources(), ...await programs()].filter(({ text }) =>
    text.split("\n").length > 400
  );
  assertEquals(long.map(({ path }) => path), []);
});
