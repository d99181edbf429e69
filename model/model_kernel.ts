import { ERRNO } from "../ffi/errors.ts";
import type { Insight, ModelKind } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { MAP_ANONYMOUS, MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../ffi/linux.ts";
import { type Rules, rulesOf } from "./dirty_ring.ts";
import { bytesFile, type OpenFile, pagemapFile, systemFile } from "./open_file.ts";
import { ModelState } from "./signals.ts";
import { slotMemory } from "./slots.ts";
import type { ModelVcpu } from "./vcpu.ts";
import { vcpuFile } from "./vcpu_file.ts";
import { ModelVm } from "./vm.ts";
import { vmFile } from "./vm_file.ts";

/** The first file descriptor that is not one of the standard three. */
const FIRST_FD = 3;
/** The id of the only thread that the model has. */
const THREAD = 1;
/** The offset of the mode in `struct statx`, and the mode of a device that everybody may use. */
const STX_MODE = 28;
const CHARACTER_DEVICE = 0o020666;

/**
 * Opens a model of `/dev/kvm` in memory: files, VMs, vCPUs, memory slots and dirty rings that
 * follow the rules in docs/abi.md, and an address space of its own. Every call answers as the
 * kernel's would.
 *
 * @example
 * ```ts
 * import { openModel } from "./model_kernel.ts";
 * import { System } from "../kvm/system.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using system = System.open(openModel({ version: "v6.17", pml: false, emulator: false }));
 * assertEquals(system.checkExtension(192), 1048576); // the largest ring in bytes
 * ```
 *
 * @param changes Rules to override: a test breaks some of them on purpose.
 */
export function openModel(choice: ModelKind, changes: Partial<Rules> = {}): Kernel {
  const rules = { ...rulesOf(choice), ...changes };
  const state = new ModelState(rules);
  const files = new Map<number, OpenFile>();
  const vms = new Map<number, ModelVm>();
  const vcpus = new Map<number, ModelVcpu>();

  const open = (file: OpenFile): number => {
    let fd = FIRST_FD;
    while (files.has(fd)) fd++;
    files.set(fd, file);
    return fd;
  };
  const createVm = (isProtected: boolean): number => {
    const vm = new ModelVm(state, isProtected);
    const openVcpu = (vcpu: ModelVcpu): number => {
      const fd = open(vcpuFile(vm, vcpu));
      vcpus.set(fd, vcpu);
      return fd;
    };
    const fd = open(vmFile(vm, open, openVcpu));
    vms.set(fd, vm);
    return fd;
  };
  const openPath = (path: string): OpenFile | null => {
    const text = textFiles(rules).get(path);
    if (text !== undefined) return bytesFile(new TextEncoder().encode(text));
    if (path === "/proc/self/pagemap") return pagemapFile(state.space);
    return path === "/dev/kvm" ? systemFile(rules, createVm) : null;
  };
  const ioctl: Kernel["ioctl"] = (fd, request, argument) => {
    const file = files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    const answer = file.ioctl?.(request, argument) ?? -ERRNO.ENOTTY;
    state.signals.endCall();
    return answer;
  };
  const insight: Insight = insightOf(choice, state, vms, vcpus);

  return {
    backend: "model",
    insight,
    open(path) {
      const file = openPath(path);
      return file === null ? -ERRNO.ENOENT : open(file);
    },
    close(fd) {
      vms.delete(fd);
      vcpus.delete(fd);
      return files.delete(fd) ? 0 : -ERRNO.EBADF;
    },
    read(fd, into) {
      const file = files.get(fd);
      return file === undefined ? -ERRNO.EBADF : file.read?.(into) ?? -ERRNO.EINVAL;
    },
    // No file of the model can seek, but for the page map.
    pread(fd, into, offset) {
      const file = files.get(fd);
      return file === undefined ? -ERRNO.EBADF : file.pread?.(into, offset) ?? -ERRNO.ESPIPE;
    },
    lseek: (fd) => files.has(fd) ? -ERRNO.ESPIPE : -ERRNO.EBADF,
    statx(path, into) {
      if (path !== "/dev/kvm") return -ERRNO.ENOENT;
      into.fill(0);
      new DataView(into.buffer, into.byteOffset).setUint16(STX_MODE, CHARACTER_DEVICE, true);
      return 0;
    },
    ioctl,
    mmap(length, protection, flags, fd, offset) {
      if (length <= 0 || offset % PAGE_SIZE !== 0) return -ERRNO.EINVAL;
      if ((flags & MAP_ANONYMOUS) !== 0) return state.space.mapAnonymous(length);
      const file = files.get(fd);
      if (file === undefined) return -ERRNO.EBADF;
      const pages = Math.ceil(length / PAGE_SIZE);
      const backing = file.mmap?.({ page: offset / PAGE_SIZE, pages, protection, flags }) ??
        -ERRNO.ENODEV;
      return typeof backing === "number" ? backing : state.space.map(length, backing);
    },
    madvise: () => 0,
    munmap: (address, length) => state.space.unmap(address, length),
    sigmask: (set, old) => state.signals.setMask(set, old),
    raise: (signal) => state.signals.raise(signal),
    gettid: () => THREAD,
    tgkill(tid, signal) {
      if (tid !== THREAD) return -ERRNO.ESRCH;
      return signal === 0 ? 0 : state.signals.raise(signal);
    },
    sigtimedwait: (set) => state.signals.take(set),
    setitimer: (microseconds) => state.signals.arm(microseconds),
    startTimer: (signal, microseconds) => state.signals.start(signal, microseconds),
    deleteTimer: (timer) => state.signals.delete(timer),
    ioctlElsewhere(fd, request) {
      state.isElsewhere = true;
      try {
        return Math.min(ioctl(fd, request, 0), 0);
      } finally {
        state.isElsewhere = false;
      }
    },
    storeElsewhere(fd, page, byte) {
      const request = { page, pages: 1, protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED };
      const backing = files.get(fd)?.mmap?.(request) ?? -ERRNO.ENODEV;
      if (typeof backing === "number") return backing;
      const memory = backing.at(0);
      if (memory === null) return -ERRNO.EFAULT;
      memory[0] = byte;
      return 0;
    },
    // The model has no tracepoints; `insight` shows the same events.
    perfEventOpen: () => -ERRNO.ENOSYS,
    view(address, length) {
      const bytes = state.space.bytes(address, length);
      if (bytes === null) throw new RangeError(`Cannot view ${length} bytes at ${address}`);
      return bytes;
    },
  };
}

// The few files besides /dev/kvm that the program reads to learn about a kernel.
function textFiles(rules: Rules): ReadonlyMap<string, string> {
  return new Map([
    ["/proc/sys/kernel/osrelease", `${rules.release}\n`],
    ["/proc/sys/kernel/panic_on_warn", "0\n"],
  ]);
}

/**
 * What the model reveals beyond its system calls.
 *
 * @param vms The open VMs, by file descriptor.
 * @param vcpus The open vCPUs, by file descriptor.
 */
export function insightOf(
  choice: ModelKind,
  state: ModelState,
  vms: ReadonlyMap<number, ModelVm>,
  vcpus: ReadonlyMap<number, ModelVcpu>,
): Insight {
  return {
    version: choice.version,
    pml: choice.pml,
    emulator: choice.emulator,
    ring(vcpuFd) {
      const ring = vcpus.get(vcpuFd)?.ring ?? null;
      return ring === null ? null : {
        dirtyIndex: ring.dirty_index,
        resetIndex: ring.reset_index,
        size: ring.size,
        softLimit: ring.soft_limit,
      };
    },
    resetCalls: (vmFd) => vms.get(vmFd)?.resetCalls ?? [],
    runSlice: (vcpuFd, instructions) => vcpus.get(vcpuFd)?.run(instructions) ?? -ERRNO.EBADF,
    writeOutsideVcpu(vmFd, address) {
      const slot = vms.get(vmFd)?.slots.find(Math.floor(address / PAGE_SIZE));
      if (slot === undefined) return false;
      const offset = address - slot.base_gfn * PAGE_SIZE;
      slotMemory(state.space, slot)[offset]! ^= 1;
      state.space.touch(slot.userspace_addr + offset);
      // `mark_page_dirty_in_slot` warns before it checks whether the slot is logged.
      if (state.rules.bitmapTakesRest && slot.bitmap !== null) {
        slot.bitmap[Math.floor(address / PAGE_SIZE) - slot.base_gfn] = 1;
      }
      return state.rules.dropsWritesOutsideVcpu;
    },
    bitmap(vmFd, slot) {
      const bitmap = vms.get(vmFd)?.slots.get(slot)?.bitmap ?? null;
      return bitmap === null ? null : [...bitmap.keys()].filter((page) => bitmap[page] === 1);
    },
    failNextAllocation() {
      state.failsAllocation = true;
    },
    setResetMaximum(entries) {
      state.resetMaximum = entries ?? state.rules.resetMaximum;
    },
    watchPushes(listener) {
      state.pushWatcher = listener;
    },
  };
}
