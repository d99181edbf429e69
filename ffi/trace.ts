import { errnoName } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import * as ioctls from "./kvm_ioctls.ts";
import { kvm_enable_cap, kvm_regs, kvm_userspace_memory_region } from "./kvm_structs.ts";
import * as linux from "./linux.ts";
import { capabilityName, requestName } from "./names.ts";

type Names = Readonly<Record<string, number>>;

const ACCESS: Names = { O_RDONLY: linux.O_RDONLY, O_RDWR: linux.O_RDWR };
const OPEN: Names = {
  O_NOCTTY: linux.O_NOCTTY,
  O_NONBLOCK: linux.O_NONBLOCK,
  O_CLOEXEC: linux.O_CLOEXEC,
};
const PROTECTION: Names = {
  PROT_READ: linux.PROT_READ,
  PROT_WRITE: linux.PROT_WRITE,
  PROT_EXEC: linux.PROT_EXEC,
};
const MAPPING: Names = {
  MAP_SHARED: linux.MAP_SHARED,
  MAP_PRIVATE: linux.MAP_PRIVATE,
  MAP_ANONYMOUS: linux.MAP_ANONYMOUS,
  MAP_NORESERVE: linux.MAP_NORESERVE,
};
const ADVICE: Names = {
  MADV_HUGEPAGE: linux.MADV_HUGEPAGE,
  MADV_NOHUGEPAGE: linux.MADV_NOHUGEPAGE,
};
const WHENCE: Names = { SEEK_END: linux.SEEK_END };
const SIGNALS: Names = { SIGUSR1: linux.SIGUSR1, SIGALRM: linux.SIGALRM };

/** The bits of open(2)'s flags that are no flags but a number. */
const ACCESS_MASK = 3;

// The name of a number; the number itself if there is none.
function nameOf(value: number, names: Names): string {
  return Object.entries(names).find(([, one]) => one === value)?.[0] ?? `${value}`;
}

// The names of bits, with what has no name in hexadecimal; "0" for none.
function bitsText(value: number, names: Names, first: readonly string[] = []): string {
  const found = Object.entries(names).filter(([, bit]) => (value & bit) === bit);
  const rest = found.reduce((left, [, bit]) => left & ~bit, value);
  const all = [...first, ...found.map(([name]) => name), ...(rest === 0 ? [] : [hex(rest)])];
  return all.length === 0 ? "0" : all.join("|");
}

function openFlags(flags: number): string {
  return bitsText(flags & ~ACCESS_MASK, OPEN, [nameOf(flags & ACCESS_MASK, ACCESS)]);
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

// Structs that matter to the reader of a trace are shown by field, any other by its length.
function structText(request: number, bytes: Uint8Array<ArrayBuffer>): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  switch (request) {
    case ioctls.KVM_ENABLE_CAP: {
      const { cap, flags, args } = kvm_enable_cap.at;
      return `{cap=${capabilityName(u32(cap))}, flags=${u32(flags)}, args=[${u64(args)}]}`;
    }
    case ioctls.KVM_SET_USER_MEMORY_REGION: {
      const at = kvm_userspace_memory_region.at;
      return `{slot=${u32(at.slot)}, flags=${u32(at.flags)}, ` +
        `guest_phys_addr=${hex(u64(at.guest_phys_addr))}, memory_size=${u64(at.memory_size)}, ` +
        `userspace_addr=${hex(u64(at.userspace_addr))}}`;
    }
    case ioctls.KVM_SET_REGS: {
      const at = kvm_regs.at;
      return `{rip=${hex(u64(at.rip))}, rsi=${hex(u64(at.rsi))}, rcx=${u64(at.rcx)}, ` +
        `rbx=${hex(u64(at.rbx))}, rbp=${u64(at.rbp)}, ...}`;
    }
    default:
      return `{${bytes.length} bytes}`;
  }
}

function argumentText(
  request: number,
  argument: number | bigint | Uint8Array<ArrayBuffer>,
): string {
  if (typeof argument === "object") return structText(request, argument);
  if (request === ioctls.KVM_CHECK_EXTENSION) return capabilityName(Number(argument));
  return `${argument}`;
}

function answerText(answer: number): string {
  return answer < 0 ? `-1 ${errnoName(-answer)}` : `${answer}`;
}

/**
 * Wraps a kernel so that each call is written as a line, with name, arguments and answer, as
 * strace(1) does.
 *
 * @example
 * ```ts ignore
 * import { openLibc } from "./libc.ts";
 * import { traceKernel } from "./trace.ts";
 *
 * const kernel = traceKernel(openLibc(), (line) => console.error(line));
 * kernel.close(-1); // close(-1) = -1 EBADF
 * ```
 *
 * @param write Called with each line, without a line end.
 * @returns A kernel that passes every call on to the given one.
 */
export function traceKernel(kernel: Kernel, write: (line: string) => void): Kernel {
  const show = (call: string, answer: number, text = answerText(answer)): number => {
    write(`${call} = ${text}`);
    return answer;
  };
  return {
    backend: kernel.backend,
    insight: kernel.insight,
    open: (path, flags) =>
      show(`open(${JSON.stringify(path)}, ${openFlags(flags)})`, kernel.open(path, flags)),
    close: (fd) => show(`close(${fd})`, kernel.close(fd)),
    read: (fd, into) => show(`read(${fd}, ..., ${into.length})`, kernel.read(fd, into)),
    pread: (fd, into, offset) =>
      show(`pread(${fd}, ..., ${into.length}, ${offset})`, kernel.pread(fd, into, offset)),
    lseek: (fd, offset, whence) =>
      show(`lseek(${fd}, ${offset}, ${nameOf(whence, WHENCE)})`, kernel.lseek(fd, offset, whence)),
    statx: (path, into) => show(`statx(${JSON.stringify(path)})`, kernel.statx(path, into)),
    ioctl: (fd, request, argument) => {
      // Formatted before the call, as the kernel may overwrite the struct.
      const call = `ioctl(${fd}, ${requestName(request)}, ${argumentText(request, argument)})`;
      return show(call, kernel.ioctl(fd, request, argument));
    },
    mmap: (length, protection, flags, fd, offset) => {
      const answer = kernel.mmap(length, protection, flags, fd, offset);
      const call = `mmap(${length}, ${bitsText(protection, PROTECTION)}, ${
        bitsText(flags, MAPPING)
      }, ${fd}, ${hex(offset)})`;
      return show(call, answer, answer < 0 ? answerText(answer) : hex(answer));
    },
    munmap: (address, length) =>
      show(`munmap(${hex(address)}, ${length})`, kernel.munmap(address, length)),
    madvise: (address, length, advice) =>
      show(
        `madvise(${hex(address)}, ${length}, ${nameOf(advice, ADVICE)})`,
        kernel.madvise(address, length, advice),
      ),
    sigmask: (set, old) =>
      show(`pthread_sigmask(SIG_SETMASK, ${maskText(set)})`, kernel.sigmask(set, old)),
    raise: (signal) => show(`raise(${nameOf(signal, SIGNALS)})`, kernel.raise(signal)),
    gettid: () => show("gettid()", kernel.gettid()),
    tgkill: (tid, signal) =>
      show(`tgkill(${tid}, ${nameOf(signal, SIGNALS)})`, kernel.tgkill(tid, signal)),
    sigtimedwait: (set) => show(`sigtimedwait(${maskText(set)})`, kernel.sigtimedwait(set)),
    setitimer: (microseconds) =>
      show(`setitimer(ITIMER_REAL, ${microseconds} us)`, kernel.setitimer(microseconds)),
    startTimer: (signal, microseconds) =>
      show(
        `timer_create(${nameOf(signal, SIGNALS)}, ${microseconds} us)`,
        kernel.startTimer(signal, microseconds),
      ),
    deleteTimer: (timer) => show(`timer_delete(${timer})`, kernel.deleteTimer(timer)),
    ioctlElsewhere: (fd, request) =>
      show(
        `elsewhere: ioctl(${fd}, ${requestName(request)})`,
        kernel.ioctlElsewhere(fd, request),
      ),
    storeElsewhere: (fd, page, byte) =>
      show(
        `elsewhere: mmap(${fd}, page ${page}), store of ${byte}`,
        kernel.storeElsewhere(fd, page, byte),
      ),
    perfEventOpen: (attr, tid) =>
      show(`perf_event_open({${attr.length} bytes}, ${tid})`, kernel.perfEventOpen(attr, tid)),
    view: (address, length) => {
      const buffer = kernel.view(address, length);
      write(`view(${hex(address)}, ${length})`);
      return buffer;
    },
  };
}

// Distinguishes the sets that this program mostly installs: all signals, and the set from before.
function maskText(set: Uint8Array<ArrayBuffer>): string {
  const word = new DataView(set.buffer, set.byteOffset).getBigUint64(0, true);
  return word === 0n ? "[]" : word === 0xffff_ffff_ffff_ffffn ? "~[]" : hex(word);
}
