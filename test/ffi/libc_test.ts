import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { checked, ERRNO, errnoName, errnoText, HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import * as ioctls from "../../ffi/kvm_ioctls.ts";
import { memoryFile } from "../../ffi/process.ts";
import { traceKernel } from "../../ffi/trace.ts";
import { System } from "../../kvm/system.ts";
import { Vcpu } from "../../kvm/vcpu.ts";
import { enableCapStruct, Vm } from "../../kvm/vm.ts";
import { LIBC } from "../support/libc.ts";

const BOGUS = 9999;

Deno.test("every call of the kernel answers EBADF on a bogus fd", () => {
  const kernel = LIBC;
  const answers = [
    kernel.close(BOGUS),
    kernel.read(BOGUS, new Uint8Array(1)),
    kernel.lseek(BOGUS, 0, 2),
    kernel.ioctl(BOGUS, ioctls.KVM_RUN, 0),
    kernel.ioctl(BOGUS, ioctls.KVM_ENABLE_CAP, enableCapStruct(192, 0)),
    kernel.mmap(4096, 1, 1, BOGUS, 0),
  ];
  assertEquals(answers, answers.map(() => -ERRNO.EBADF));
});

Deno.test("every wrapper of an fd reports EBADF on a bogus fd", () => {
  const kernel = LIBC;
  const system = new System(kernel, BOGUS);
  const vm = new Vm(kernel, BOGUS);
  assertEquals(vm.enableCap(192, 4096), -ERRNO.EBADF);
  const region = { slot: 0, flags: 0, guestPhysAddr: 0, memorySize: 4096, userspaceAddr: 4096 };
  const calls: (() => unknown)[] = [
    () => system.checkExtension(192),
    () => system.vcpuMmapSize(),
    () => system.createVm(),
    () => vm.setUserMemoryRegion(region),
    () => vm.createVcpu(0, 4096),
    () => vm.resetDirtyRings(),
    () => vm.placeRealModePages(2 ** 32),
    () => Vcpu.take(kernel, BOGUS, 0, 4096),
    () => system[Symbol.dispose](),
    () => vm[Symbol.dispose](),
  ];
  for (const call of calls) {
    const error = assertThrows(call, KernelError, "EBADF");
    assertEquals(error.errnoName, "EBADF", `${call}`);
  }
});

Deno.test("a vCPU whose fd is bogus reports EBADF from each of its calls", () => {
  // Its kvm_run is plain memory and its CPUID was taken, so that only the fd is wrong.
  const libc = LIBC;
  const kernel: Kernel = {
    ...libc,
    mmap: (length) => libc.mmap(length, 3, 0x22, -1, 0),
    close: () => 0,
    ioctl: (fd, request, argument) =>
      request === ioctls.KVM_SET_CPUID2 ? 0 : libc.ioctl(fd, request, argument),
  };
  const vcpu = Vcpu.take(kernel, BOGUS, 0, 4096);
  assertEquals(vcpu.run(), -ERRNO.EBADF);
  assertThrows(() => vcpu.register("rip"), KernelError, "EBADF");
  assertThrows(() => vcpu.setRegisters({}), KernelError, "EBADF");
  assertThrows(() => vcpu.changeSregs(() => {}), KernelError, "EBADF");
  assertEquals(libc.mmap(4096, 3, 1, BOGUS, 64 * 4096), -ERRNO.EBADF);
  vcpu[Symbol.dispose]();
});

Deno.test("a struct shorter than its request says is refused before the call", () => {
  const kernel = LIBC;
  assertThrows(
    () => kernel.ioctl(BOGUS, ioctls.KVM_ENABLE_CAP, new Uint8Array(8)),
    RangeError,
    "8 bytes where 104",
  );
});

Deno.test("sigmask() installs a set and answers the previous one", () => {
  const kernel = LIBC;
  const [all, before, during] = [
    new Uint8Array(128).fill(255),
    new Uint8Array(128),
    new Uint8Array(128),
  ];
  assertEquals(kernel.sigmask(all, before), 0);
  assertEquals(kernel.sigmask(before, during), 0);
  assertEquals(during[0]! & 2, 2); // SIGINT, signal 2, was blocked
  assertEquals(before[0]! & 2, 0);
});

Deno.test("errnoText() names an errno and says what it means", () => {
  assertEquals(errnoText(13), "EACCES (permission denied)");
  assertEquals([errnoText(9999), errnoName(9999)], ["errno 9999", "errno 9999"]);
});

Deno.test("checked() names the call, the errno and the advice", () => {
  assertEquals(checked(7, "read"), 7);
  const error = assertThrows(() => checked(-12, () => "KVM_CREATE_VM", "close some"), KernelError);
  assertEquals(error.message, "KVM_CREATE_VM: ENOMEM (out of memory); close some");
});

Deno.test("System.open() says what to do for each way in which /dev/kvm is missing", () => {
  const libc = LIBC;
  const opening = (answer: number) => () => System.open({ ...libc, open: () => answer });
  assertThrows(opening(-ERRNO.ENOENT), HostError, "modprobe");
  assertThrows(opening(-ERRNO.ENODEV), HostError, "dmesg");
  assertThrows(opening(-ERRNO.EACCES), HostError, "usermod");
  assertThrows(opening(-ERRNO.EPERM), HostError, "container");
  // No descriptors left is no fault of the host.
  assertThrows(opening(-ERRNO.EMFILE), KernelError, "EMFILE");
});

Deno.test("System.open() refuses a device that is no KVM, and closes it", () => {
  const libc = LIBC;
  let closed = 0;
  const kernel = {
    ...libc,
    open: () => libc.open("/dev/null", 2),
    close: (fd: number) => (closed++, libc.close(fd)),
  };
  assertThrows(() => System.open(kernel), HostError, "ENOTTY");
  assertEquals(closed, 1);
});

Deno.test("traceKernel() shows every call with its arguments and answer", () => {
  const lines: string[] = [];
  const kernel = traceKernel(LIBC, (line) => lines.push(line));
  kernel.open("/nowhere", 0);
  kernel.close(BOGUS);
  kernel.ioctl(BOGUS, ioctls.KVM_ENABLE_CAP, enableCapStruct(192, 65536));
  kernel.ioctl(BOGUS, ioctls.KVM_CHECK_EXTENSION, 192);
  const address = kernel.mmap(4096, 3, 0x22, -1, 0);
  kernel.view(address, 4096);
  kernel.munmap(address, 4096);
  assertEquals(lines.slice(0, 4), [
    'open("/nowhere", O_RDONLY) = -1 ENOENT',
    "close(9999) = -1 EBADF",
    "ioctl(9999, KVM_ENABLE_CAP, {cap=KVM_CAP_DIRTY_LOG_RING, flags=0, args=[65536]}) = -1 EBADF",
    "ioctl(9999, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) = -1 EBADF",
  ]);
  assertStringIncludes(
    lines[4]!,
    "mmap(4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0) = 0x",
  );
  assertEquals(lines.length, 7);
});

// Its functions are bound once, and stay: before a test looks for what it left.
memoryFile("first", [])[Symbol.dispose]();

Deno.test("a file in memory holds its pieces, and goes where one cannot be had", () => {
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = open();
  {
    using file = memoryFile("whole", [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    assertEquals([file.size, ...Deno.readFileSync(file.path)], [3, 1, 2, 3]);
  }
  const broken = function* () {
    yield Uint8Array.of(1);
    throw new Error("no more");
  };
  assertThrows(() => memoryFile("broken", broken()), Error, "no more");
  assertEquals(open(), before);
});
