// A machine from its boot to its end, with a fake emulator that plays what a kernel may do. No
// kernel and no QEMU is needed.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HostError } from "../../ffi/errors.ts";
import { VmConsole } from "../../vm/console.ts";
import { frameBytes } from "../../vm/frames.ts";
import type { GuestProblem } from "../../vm/guest_request.ts";
import type { VmCpu } from "../../vm/vm_failure.ts";
import type { FakeGuest } from "../support/fake_emulator.ts";
import { Case, FACTS } from "../support/machine_case.ts";

const PROBLEM: GuestProblem = { refused: [], words: [], error: null };

Deno.test("a command's output comes out in both streams, in order, and its exit status", async () => {
  const ran = new Case((guest) => {
    guest.say("[    0.000000] Linux version 6.12.1");
    guest.tell("hello", FACTS);
    guest.send("stdout", "one\n");
    guest.send("alive", "");
    guest.send("stderr", "two\n");
    guest.send("stdout", "three\n");
    guest.tell("end", { code: 3 });
    guest.send("stdout", "too late\n");
    guest.exit(0);
  });
  assertEquals(await ran.run(), { code: 3 });
  assertEquals(ran.said, ["booted 6.12.1", "stdout one\n", "stderr two\n", "stdout three\n"]);
  assertEquals(ran.machine.console, ["[    0.000000] Linux version 6.12.1"]);
});

Deno.test("what is booted: the kernel, the initramfs, a command line that ends with process 1", async () => {
  let booted: FakeGuest["boot"] | undefined;
  const ran = new Case((guest) => {
    booted = guest.boot;
    guest.tell("end", { code: 0 });
  }, { settings: { kernelArgs: "kvm_amd.npt=0 quiet" } });
  await ran.run();
  assertEquals([booted!.image.path, booted!.initrd.path, booted!.settings.cpus], [
    ...["a/bzImage", "/initrd", 2],
  ]);
  const [kernel, init] = booted!.cmdline.split(" -- ");
  assert(kernel!.startsWith("console=ttyS0 ") && kernel!.endsWith(" kvm_amd.npt=0 quiet"), kernel);
  assertStringIncludes(kernel!, " fake=1 rdinit=/bin/deno ");
  assert(init!.endsWith(" /dirtyring/vm_init.ts"), init);
});

Deno.test("a command line that no kernel takes is told before anything starts", async () => {
  const ran = new Case(() => {}, { settings: { kernelArgs: "x".repeat(2048) } });
  await assertRejects(() => ran.machine.run(), HostError, "shorten --kernel-args");
  assertEquals([ran.isFreed, ran.emulator.kills], [true, 0]);
});

Deno.test("a panic is told with its line, the console, and the check that was running", async () => {
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.say("[    9.1] dirtyring: reset.first");
    guest.say("[    9.2] dirtyring: reset.gap");
    guest.say("[    9.3] Kernel panic - not syncing: Fatal exception in interrupt");
    guest.say("[    9.4] Kernel panic - not syncing: another");
    guest.exit(0);
  });
  const { console } = await ran.fails(
    "the kernel panicked: Fatal exception in interrupt; reset.gap was running",
  );
  assertEquals([console.length, console[0]], [4, "[    9.1] dirtyring: reset.first"]);
});

Deno.test("a panic before the command began is one of the boot", async () => {
  const ran = new Case((guest) => {
    guest.say("[    1.0] Kernel panic - not syncing: No working init found.");
    guest.exit(0);
  });
  await ran.fails("the kernel panicked: No working init found., while it booted");
});

Deno.test("a machine that ends without a word: at boot, and later", async () => {
  const silent = new Case((guest) => guest.exit(0));
  assertEquals((await silent.fails("the kernel did not boot, while it booted")).console, []);
  const later = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.say("qemu-system-x86_64: terminating on signal 15");
    guest.exit(1);
  });
  await later.fails("a/bzImage: the machine stopped");
});

Deno.test("a complaint of QEMU is an error of the host, in QEMU's words", async () => {
  const ran = new Case((guest) => {
    guest.say("qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.01H");
    guest.say("qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory");
    guest.exit(1);
  });
  const error = await assertRejects(() => ran.run(), HostError);
  assertEquals(
    error.message,
    "a fake: cannot set up guest memory 'pc.ram': Cannot allocate memory; see --vm-memory, --vm-accel and --vm-cpus",
  );
  assertEquals(ran.machine.console.length, 1); // the warning is no news
});

Deno.test("a machine that says nothing hangs: as long as it boots, and later", async () => {
  const boot = new Case(() => {}, { silenceMs: 20 });
  await boot.fails("gave no sign of life for 20 ms: the kernel hangs, while it booted");
  const later = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.say("[    9.1] dirtyring: reset.gap");
  }, { silenceMs: 20 });
  const { console } = await later.fails("the kernel hangs; reset.gap was running");
  assertEquals(console, ["[    9.1] dirtyring: reset.gap"]);
});

Deno.test("a machine that says now and then that it is alive may take its time", async () => {
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    let said = 0;
    const timer = setInterval(() => {
      guest.send("alive", "");
      if (++said % 2 === 0) guest.say("[    9.1] a line");
      if (said < 40) return;
      clearInterval(timer);
      guest.tell("end", { code: 0 });
    }, 10);
  }, { silenceMs: 200 });
  assertEquals(await ran.run(), { code: 0 });
});

Deno.test("the console is kept in lines, the last of them, however it comes", () => {
  const console = new VmConsole();
  const lines = Array.from(
    { length: 50 },
    (_, n) => `[    ${n}.0] ü ${"x".repeat(n === 30 ? 450 : 3)}`,
  );
  const bytes = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\nunfinished`);
  for (let at = 0; at < bytes.length; at += 7) console.add(bytes.subarray(at, at + 7));
  const expected = [...lines.slice(-40).map((line) => line.slice(0, 400)), "unfinished"];
  assertEquals(console.last, expected);
  assertEquals([console.panic, console.step, console.complaint], [null, null, null]);
});

Deno.test("a machine is not silent while this process is held up by who reads its output", async () => {
  const blocked = new Int32Array(new SharedArrayBuffer(4));
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", "much");
    setTimeout(() => guest.tell("end", { code: 0 }), 0);
  }, {
    silenceMs: 400,
    listener: {
      stdout() {
        Atomics.wait(blocked, 0, 0, 600);
        return true;
      },
    },
  });
  assertEquals(await ran.run(), { code: 0 });
});

Deno.test("a machine that goes on for too long is ended", async () => {
  const play = (guest: FakeGuest) => {
    guest.tell("hello", FACTS);
    guest.send("alive", "");
  };
  await new Case(play, { timeoutMs: 20 }).fails("did not end within 20 ms (--vm-timeout)");
  const asked = new Case(play, { settings: { timeoutMs: 10 } });
  await asked.fails("did not end within 10 ms (--vm-timeout)");
});

Deno.test("a kernel without KVM is told in its own words, with what it lacks", async () => {
  const told = async (
    problem: Partial<GuestProblem>,
    modules: string | null = null,
    cpu: VmCpu = "amd",
  ) => {
    const ran = new Case((guest) => {
      guest.say("[    2.0] the console");
      guest.tell("problem", { ...PROBLEM, ...problem });
    }, { modules, cpu });
    return await assertRejects(() => ran.run(), HostError).then(({ message }) => message);
  };
  const what = "a/bzImage (6.12.1): ";
  assertEquals(
    await told({}),
    `${what}has no KVM, and no modules of it were found; build it with CONFIG_KVM and CONFIG_KVM_AMD, or give the folder of its modules with --modules`,
  );
  assertStringIncludes(
    await told({}, "/m", "intel"),
    "nor has /m; build it with CONFIG_KVM and CONFIG_KVM_INTEL",
  );
  assertEquals(
    await told({ words: ["first", "kvm_intel: VMX not supported by CPU 0"] }, null, "intel"),
    `${what}its KVM refuses this processor: kvm_intel: VMX not supported by CPU 0; build it with CONFIG_KVM_INTEL`,
  );
  const refused = [{ name: "kvm", errno: 8 }, { name: "kvm_amd", errno: 95 }];
  assertEquals(
    await told({ refused, words: ["kvm_amd: SVM not supported by CPU 1"] }, "/m"),
    `${what}init_module(kvm_amd): EOPNOTSUPP (operation not supported); it says: kvm_amd: SVM not supported by CPU 1; use modules of the same build, and --vm-cpu for another processor`,
  );
  assertStringIncludes(await told({ refused: [{ name: "kvm", errno: 8 }] }), "(kvm): ENOEXEC");
});

Deno.test("what goes wrong in process 1 is told", async () => {
  const ran = new Case((guest) => guest.tell("problem", { ...PROBLEM, error: "No such file" }));
  await ran.fails("a/bzImage: No such file");
});

Deno.test("something else than frames on the line is told, and so is a damaged frame", async () => {
  const text = new TextEncoder().encode("[    0.0] a kernel that takes the line for its console\n");
  await new Case((guest) => guest.bytes(text)).fails("else than frames, while it booted");
  const later = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.bytes(text);
  });
  await later.fails("a/bzImage: the serial line of the machine carried something else than frames");
  for (const kind of ["hello", "problem", "end", "file"] as const) {
    const damaged = new Case((guest) =>
      guest.bytes(frameBytes(kind, new Uint8Array([0x7b, 0xff])))
    );
    await damaged.fails("carried a damaged frame");
  }
});

Deno.test("an interrupt before the machine is started, while it is, and while it boots, ends it", async () => {
  let isStarted = false;
  const before = new Case(() => void (isStarted = true));
  before.machine.interrupt("SIGTERM");
  assertEquals(await before.machine.run(), { interrupted: "SIGTERM" });
  assertEquals([isStarted, before.isFreed], [false, true]);

  const starting = Promise.withResolvers<void>();
  const meanwhile = new Case(() => {}, { starting: starting.promise });
  const running = meanwhile.run();
  // As late as it is asked to start, and not yet there.
  setTimeout(() => {
    meanwhile.machine.interrupt("SIGINT");
    starting.resolve();
  }, 0);
  assertEquals(await running, { interrupted: "SIGINT" });

  const boot: Case = new Case((guest) => {
    guest.say("[    0.0] Linux");
    boot.machine.interrupt("SIGINT");
  });
  assertEquals(await boot.run(), { interrupted: "SIGINT" });
});

Deno.test("an interrupt is passed on to a command that runs, which ends as it will", async () => {
  let heard: readonly unknown[] = [];
  const ran: Case = new Case(async (guest) => {
    guest.tell("hello", FACTS);
    heard = await guest.heard();
    guest.send("stdout", "what was gathered");
    guest.tell("end", { code: 130 });
  }, { listener: { booted: () => ran.machine.interrupt("SIGINT") } });
  assertEquals(await ran.run(), { code: 130 });
  assertEquals([heard, ran.said], [["signal", "SIGINT"], ["stdout what was gathered"]]);
});

Deno.test("an interrupt that a command does not heed ends the machine", async () => {
  const ran: Case = new Case(async (guest) => {
    guest.tell("hello", FACTS);
    await guest.heard();
    for (let n = 0; n < 10; n++) guest.send("alive", "");
  }, { timeoutMs: 6000, listener: { booted: () => ran.machine.interrupt("SIGTERM") } });
  assertEquals(await ran.run(), { interrupted: "SIGTERM" });
});

Deno.test("where nobody reads a stream any more the command is told", async () => {
  let heard: readonly unknown[] = [];
  const ran = new Case(async (guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", "a line");
    heard = await guest.heard();
    guest.tell("end", { code: 141 });
  }, { listener: { stdout: () => Promise.resolve(false) } });
  assertEquals(await ran.run(), { code: 141 });
  assertEquals(heard, ["close", "stdout"]);
});

Deno.test("what goes wrong with the output ends the machine, and is what goes wrong", async () => {
  const ran = new Case((guest) => {
    guest.tell("hello", FACTS);
    guest.send("stdout", "a line");
  }, { listener: { stdout: () => Promise.reject(new RangeError("a full disk")) } });
  await assertRejects(() => ran.run(), RangeError, "a full disk");
});
