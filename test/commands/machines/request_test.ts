// What `--kernel` and the options beside it ask for, and in how many machines at once.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Lanes } from "../../../cli/compare_machines.ts";
import { GLOBAL_OPTIONS, VM_OPTIONS, withoutOptions } from "../../../cli/global_options.ts";
import { lineOf, machineRequest } from "../../../cli/machine_request.ts";
import { parseLine } from "../../../cli/parse.ts";
import { loadCommand } from "../../../commands/registry.ts";
import { UsageError } from "../../../host/errors.ts";
import type { VmSettings } from "../../../vm/vm_failure.ts";

const HOST = { commandLine: ["dirtyring"], commit: null };

/** What a command line asks for. */
async function ask(name: string, ...args: string[]) {
  const { options } = await loadCommand(name);
  const all = { ...options, ...GLOBAL_OPTIONS };
  const { values, given, operands } = await parseLine(args, all);
  return machineRequest(values, [name, ...given], operands, HOST);
}

const DEFAULTS: VmSettings = {
  accel: "auto",
  cpu: null,
  cpus: null,
  memoryBytes: 2 ** 31,
  timeoutMs: null,
  kernelArgs: "",
};

Deno.test("no --kernel asks for no machine, one for one with what goes with it", async () => {
  assertEquals(await ask("dump", "--pages", "3"), null);
  assertEquals(await ask("dump", "--kernel", "a", "--pages", "3"), {
    choices: [{ kernel: "a", modules: null, settings: DEFAULTS }],
    args: ["dump", "--pages=3"],
    operands: [],
    host: HOST,
  });
  const options = ["--modules=m", "--kernel-args", "x y=z", "--vm-accel", "tcg", "--vm-cpu=intel"];
  const sizes = ["--vm-cpus", "3", "--vm-memory=1GiB", "--vm-timeout", "90s"];
  assertEquals(await ask("dump", ...options, "--trace", "--kernel=a", ...sizes), {
    choices: [{
      kernel: "a",
      modules: "m",
      settings: {
        accel: "tcg",
        cpu: "intel",
        cpus: 3,
        memoryBytes: 2 ** 30,
        timeoutMs: 90_000,
        kernelArgs: "x y=z",
      },
    }],
    args: ["dump", "--trace="],
    operands: [],
    host: HOST,
  });
});

Deno.test("several kernels have options of their own, or all the same", async () => {
  const several = ["--kernel", "a", "--kernel", "b", "--modules", "m"];
  const request = await ask("check", ...several, "--kernel-args=x", "--kernel-args=y");
  assertEquals(
    request!.choices.map(({ kernel, modules, settings }) => [kernel, modules, settings.kernelArgs]),
    [["a", "m", "x"], ["b", "m", "y"]],
  );
  const processors = await ask("check", "--kernel=a", "--vm-cpu=amd", "--vm-cpu=intel");
  assertEquals(processors!.choices.map(({ kernel, settings }) => [kernel, settings.cpu]), [
    ["a", "amd"],
    ["a", "intel"],
  ]);
  assertEquals(processors!.args, ["check"]);
});

Deno.test("options that do not go together are told", async () => {
  const wrong = (message: string, ...args: string[]) =>
    assertRejects(() => ask("check", ...args), UsageError, message);
  const three = ["--kernel=a", "--kernel=b", "--kernel=c"];
  await wrong("--modules: given 2 times for 3 machines", ...three, "--modules=m", "--modules=n");
  await wrong("--kernel: given 2 times for 3 machines", ...["--kernel=a", "--kernel=b"], ...[
    ...["--vm-cpu=amd", "--vm-cpu=amd", "--vm-cpu=intel"],
  ]);
  for (const name of Object.keys(VM_OPTIONS).filter((name) => name !== "kernel")) {
    const value = {
      "vm-accel": "tcg",
      "vm-cpu": "amd",
      "vm-cpus": "2",
      "vm-memory": "2GiB",
      "vm-timeout": "15m",
    }[name] ?? "x";
    await wrong(`--${name}: goes with --kernel`, `--${name}`, value);
    await wrong(`--${name}: goes with --kernel`, `--${name}=${value}`);
  }
  for (const backend of ["model", "auto"]) {
    await wrong(`--backend ${backend}: does not go with --kernel`, ...[
      ...["--kernel=a", "--backend", backend],
    ]);
  }
  await ask("check", "--kernel=a", "--backend=kvm");
  await wrong("--kernel: a value is missing", "--kernel");
  await wrong('--kernel "": expected a bzImage', "--kernel=");
  await wrong("--vm-cpus is given 2 times", "--kernel=a", "--vm-cpus=1", "--vm-cpus=1");
  await wrong("--vm-cpu arm: expected amd or intel", "--kernel=a", "--vm-cpu=arm");
});

Deno.test("a value that looks like an option is one of neither side", async () => {
  const request = await ask("check", "--kernel", "--vm-cpus", "--kernel-args", "--kernel=b");
  assertEquals(request!.choices.map(({ kernel, settings }) => [kernel, settings.kernelArgs]), [
    ["--vm-cpus", "--kernel=b"],
  ]);
  assertEquals(request!.args, ["check"]);
  assertEquals(await ask("check", "--output", "--kernel=b"), null);
  assertEquals((await ask("check", "--output", "--kernel", "--kernel=a", "--"))!.args, [
    ...["check", "--output=--kernel"],
  ]);
  assertEquals((await ask("check", "--kernel", "--", "--only", "--kernel-args=x"))!, {
    choices: [{ kernel: "--", modules: null, settings: DEFAULTS }],
    args: ["check", "--only=--kernel-args=x"],
    operands: [],
    host: HOST,
  });
});

Deno.test("a machine is asked with the operands of the command line, whatever they begin with", async () => {
  const line = async (...args: string[]) => {
    const { args: options, operands } = (await ask("restore", ...args))!;
    return lineOf(options, operands);
  };
  assertEquals(await line("kept", "--kernel", "a", "--format=json"), [
    ...["restore", "--format=json", "--", "kept"],
  ]);
  assertEquals(await line("--kernel=a", "--", "--kernel=b"), ["restore", "--", "--kernel=b"]);
  assertEquals(await line("-", "--kernel=a", "--trace"), ["restore", "--trace=", "--", "-"]);
  assertEquals(await line("--kernel=a"), ["restore"]);
  const parsed = await parseLine(["--format=json", "--", "--kernel=b"], {
    ...(await loadCommand("restore")).options,
    ...GLOBAL_OPTIONS,
  });
  assertEquals(parsed.operands, ["--kernel=b"]);
});

Deno.test("withoutOptions() leaves out what is named, and nothing that only begins like it", () => {
  const args = [
    "check",
    "--kernel=a=b",
    "--kernel-args=x",
    "--kernels=y",
    "kernel",
    "-k",
    "--kernel",
  ];
  assertEquals(withoutOptions(args, ["kernel"]), [
    ...["check", "--kernel-args=x", "--kernels=y", "kernel", "-k"],
  ]);
  assertEquals(withoutOptions(args, []), args);
});

Deno.test("the options of a machine are read as help says", () => {
  assertEquals(VM_OPTIONS["vm-memory"].parse("1.5GiB"), 1.5 * 2 ** 30);
  assertThrows(() => VM_OPTIONS["vm-cpus"].parse("65"), SyntaxError, "from 1 to 64");
  assertThrows(() => VM_OPTIONS["vm-accel"].parse("hvf"), SyntaxError, "auto, kvm or tcg");
  assertThrows(() => VM_OPTIONS.modules.parse(""), SyntaxError, "a folder");
});

Deno.test("Lanes let so many run at once, in the order in which they came", async () => {
  const lanes = new Lanes(2);
  const begun: number[] = [];
  const works = [0, 1, 2, 3].map(() => Promise.withResolvers<string>());
  const runs = works.map(({ promise }, n) =>
    lanes.run(() => {
      begun.push(n);
      return promise;
    })
  );
  await Promise.resolve();
  assertEquals(begun, [0, 1]);
  works[1]!.reject(new Error("no"));
  await assertRejects(() => runs[1]!, Error, "no");
  assertEquals(begun, [0, 1, 2]);
  works[0]!.resolve("a");
  assertEquals(await runs[0], "a");
  assertEquals(begun, [0, 1, 2, 3]);
  works[2]!.resolve("c");
  works[3]!.resolve("d");
  assertEquals(await Promise.all([runs[2], runs[3]]), ["c", "d"]);
  assertEquals(await lanes.run(() => Promise.resolve("e")), "e");
});
