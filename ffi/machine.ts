// System calls of a program that is init in a virtual machine, or that starts such a machine.
import { libcAnswers, loadLibc, openLibc } from "./libc.ts";

// <sys/mount.h>, <sys/reboot.h>, <sys/prctl.h> and <unistd.h>
const SYMBOLS = {
  // int mount(const char *source, const char *target, const char *filesystemtype,
  //           unsigned long mountflags, const void *data);
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  // int reboot(int op);
  reboot: { parameters: ["i32"], result: "i32" },
  // long syscall(long number, ...): init_module(void image[len], unsigned long len, const char
  // *param_values), for which libc has no function.
  syscall_init_module: {
    name: "syscall",
    parameters: ["i64", "buffer", "u64", "buffer"],
    result: "i64",
  },
  // int prctl(int op, unsigned long arg2, ...);
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  // pid_t getppid(void);
  getppid: { parameters: [], result: "i32" },
  // pid_t setsid(void);
  setsid: { parameters: [], result: "i32" },
  // int execv(const char *pathname, char *const argv[]);
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const SYS_INIT_MODULE = 175n; // <asm/unistd_64.h>
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9n;
/** <linux/reboot.h>: ends a virtual machine whose emulator does not restart it. */
const RB_AUTOBOOT = 0x01234567;

// <asm-generic/termbits.h>
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSBRK = 0x5409;
/** `struct termios`: four words of flags, the line discipline, 19 control characters. */
const TERMIOS_BYTES = 36;
const RAW_CFLAG = 0x1002 | 0x30 | 0x80 | 0x800; // B115200, CS8, CREAD, CLOCAL
const VTIME_AT = 17 + 5;
const VMIN_AT = 17 + 6;

/** System calls for process 1 of a machine, or for starting one. Each answers 0 or minus errno. */
export interface MachineCalls {
  /** mount(2) of a file system without a device, such as proc. */
  mount(kind: string, target: string): number;
  /** init_module(2). */
  initModule(image: Uint8Array<ArrayBuffer>, parameters: string): number;
  /** Makes a terminal pass all bytes unchanged: TCSETS. */
  makeRaw(fd: number): number;
  /** Waits until a terminal has sent all that was written to it: TCSBRK, like tcdrain(3). */
  drain(fd: number): number;
  /** reboot(2): ends the machine. Returns only if it is refused. */
  reboot(): number;
  /**
   * Becomes another program, away from the terminal, which the kernel kills when the parent ends:
   * PR_SET_PDEATHSIG, setsid(2), execv(3). Returns only if a call is refused or the parent has
   * ended.
   *
   * @param parent The parent's process id. If that is no longer the parent, nothing is started and
   * the answer is 0.
   * @param command The program's path and its arguments.
   */
  becomeChildOf(parent: number, command: readonly string[]): number;
}

/**
 * Binds the system calls.
 *
 * @throws {HostError} If libc cannot be loaded.
 */
export function openMachineCalls(): MachineCalls {
  const libc = loadLibc(SYMBOLS);
  const kernel = openLibc();
  const answer = libcAnswers();
  const encoder = new TextEncoder();
  const cString = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(`${text}\0`);
  return {
    mount(kind, target) {
      // SAFETY: strings that end in NUL, owned by this call, which the kernel copies.
      return answer(libc.mount(cString(kind), cString(target), cString(kind), 0n, cString("")));
    },
    initModule(image, parameters) {
      // SAFETY: image.length bytes of the caller's, which the kernel copies.
      const done = libc.syscall_init_module(
        SYS_INIT_MODULE,
        image,
        BigInt(image.length),
        cString(parameters),
      );
      return answer(Number(done));
    },
    makeRaw(fd) {
      const termios = new Uint8Array(TERMIOS_BYTES);
      const got = kernel.ioctl(fd, TCGETS, termios);
      if (got < 0) return got;
      termios.fill(0);
      new DataView(termios.buffer).setUint32(8, RAW_CFLAG, true);
      termios[VMIN_AT] = 1;
      termios[VTIME_AT] = 0;
      return kernel.ioctl(fd, TCSETS, termios);
    },
    drain: (fd) => kernel.ioctl(fd, TCSBRK, 1),
    reboot: () => answer(libc.reboot(RB_AUTOBOOT)),
    becomeChildOf(parent, command) {
      const bound = answer(libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n));
      if (bound < 0) return bound;
      if (libc.getppid() !== parent) return 0;
      const leader = answer(libc.setsid());
      if (leader < 0) return leader;
      const strings = command.map(cString);
      const argv = new BigUint64Array(strings.length + 1);
      // SAFETY: addresses of strings that this call owns and keeps until execv() has read them;
      // NULL ends them.
      strings.forEach((one, n) =>
        argv[n] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(one)))
      );
      // SAFETY: execv() reads both and keeps neither.
      return answer(libc.execv(strings[0]!, argv));
    },
  };
}
