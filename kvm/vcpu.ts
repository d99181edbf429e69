// A vCPU: its file descriptor, its registers, and the CPUID that it sees.
import { checked, ERRNO, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import {
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_RUN,
  KVM_SET_CPUID2,
  KVM_SET_REGS,
  KVM_SET_SREGS,
} from "../ffi/kvm_ioctls.ts";
import {
  kvm_cpuid2,
  kvm_cpuid_entry2,
  kvm_regs,
  kvm_run,
  kvm_sregs,
  type Register,
} from "../ffi/kvm_structs.ts";
import { DirtyRing, KvmFd, Mapping } from "./mapping.ts";
import type { RunTicks } from "./run_ticks.ts";

/**
 * Gives the ticks of the calling thread, which start on first use; `null` if the kernel has none.
 */
export type TickSource = () => RunTicks | null;

/** A virtual CPU with its `kvm_run` mapping (api.rst, section 4, "vcpu ioctls"). */
export class Vcpu extends KvmFd {
  /** Its id. */
  readonly id: number;
  readonly #run: Mapping;
  readonly #runView: DataView<ArrayBuffer>;
  readonly #tickSource: TickSource;
  // Undefined until the first runBriefly().
  #ticks: RunTicks | null | undefined;

  private constructor(
    kernel: Kernel,
    fd: number,
    id: number,
    run: Mapping,
    tickSource: TickSource,
  ) {
    super(kernel, fd);
    this.#tickSource = tickSource;
    this.id = id;
    this.#run = run;
    this.#runView = new DataView(run.bytes.buffer, run.bytes.byteOffset);
  }

  /**
   * Takes over a vCPU's file descriptor, sets its CPUID (see {@linkcode cpuidStruct}), and maps its
   * `kvm_run`.
   *
   * @param fd The vCPU's file descriptor; closed if a call fails.
   * @param mmapSize Bytes of its `kvm_run` mapping.
   * @param ticks The ticks that interrupt {@linkcode Vcpu.runBriefly}; without any, that is
   * {@linkcode Vcpu.run}.
   * @throws {KernelError} If the kernel refuses the CPUID or the mapping.
   */
  static take(
    kernel: Kernel,
    fd: number,
    id: number,
    mmapSize: number,
    ticks: TickSource = () => null,
  ): Vcpu {
    try {
      const answer = kernel.ioctl(fd, KVM_SET_CPUID2, cpuidStruct());
      checked(answer, () => `KVM_SET_CPUID2 on vCPU ${id}`);
      const run = Mapping.shared(kernel, fd, 0, mmapSize, `vCPU ${id}`);
      return new Vcpu(kernel, fd, id, run, ticks);
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
  }

  /**
   * `KVM_RUN`: runs the guest on this thread until it exits. It blocks, and the answer is not
   * checked.
   *
   * @returns 0 with {@linkcode Vcpu.exitReason} set, or minus an errno: EINTR after a signal.
   */
  run(): number {
    return this.ioctl(KVM_RUN);
  }

  /**
   * `KVM_RUN` that holds the calling thread no longer than a tick (see {@linkcode RunTicks}),
   * whatever guest and kernel do. Only one thread may run a vCPU this way.
   *
   * @returns As {@linkcode Vcpu.run}; `null` after a tick: the guest goes on with the next call.
   * @throws {KernelError} If ticks cannot be started.
   */
  runBriefly(): number | null {
    if (this.#ticks === undefined) {
      this.#ticks = this.#tickSource();
      this.#ticks?.letInto(this.fd);
    }
    const answer = this.run();
    return answer === -ERRNO.EINTR && this.#ticks?.take() === true ? null : answer;
  }

  /** The reason of the last exit, a `KVM_EXIT_*` number. Valid after a run that answered 0. */
  get exitReason(): number {
    return this.#runView.getUint32(kvm_run.at.exit_reason, true);
  }

  /** The first 8 bytes of the exit's details, such as those of an internal error. */
  get exitDetail(): bigint {
    return this.#runView.getBigUint64(kvm_run.at.exit, true);
  }

  /** Address and length of `kvm_run` in this process, for the thread that runs the vCPU. */
  get runMapping(): { readonly address: number; readonly bytes: number } {
    return { address: this.#run.address, bytes: this.#run.length };
  }

  /**
   * Reads the 64 bits of a general register.
   *
   * @throws {KernelError} If the kernel fails the call.
   */
  register(name: Register): bigint {
    const view = new DataView(new ArrayBuffer(kvm_regs.size));
    checked(this.ioctl(KVM_GET_REGS, new Uint8Array(view.buffer)), "KVM_GET_REGS");
    return view.getBigUint64(kvm_regs.at[name], true);
  }

  /**
   * Writes all general registers; those that are not named become 0.
   *
   * @param values Their 64 bits, by name.
   * @throws {KernelError} If the kernel fails the call.
   */
  setRegisters(values: Readonly<Partial<Record<Register, bigint>>>): void {
    checked(this.ioctl(KVM_SET_REGS, registersStruct(values)), "KVM_SET_REGS");
  }

  /**
   * Reads `struct kvm_sregs`, passes it to a function, and writes it back.
   *
   * @param change Changes the struct in place.
   * @throws {KernelError} If the kernel refuses: EINVAL for an impossible combination.
   */
  changeSregs(change: (sregs: DataView<ArrayBuffer>) => void): void {
    const bytes = new Uint8Array(kvm_sregs.size);
    checked(this.ioctl(KVM_GET_SREGS, bytes), "KVM_GET_SREGS");
    change(new DataView(bytes.buffer));
    checked(this.ioctl(KVM_SET_SREGS, bytes), "KVM_SET_SREGS");
  }

  /**
   * Maps this vCPU's dirty ring.
   *
   * @param bytes The size with which rings were enabled.
   * @returns The ring; the caller disposes it before the vCPU.
   * @throws {KernelError} If the kernel refuses.
   */
  mapDirtyRing(bytes: number): DirtyRing {
    return new DirtyRing(this.kernel, this.fd, bytes, `vCPU ${this.id}'s dirty ring`);
  }

  /** Unmaps `kvm_run` and closes the file descriptor. */
  override [Symbol.dispose](): void {
    this.#run[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

/**
 * The bytes of a `struct kvm_regs`.
 *
 * @param values The registers' 64 bits, by name; those that are not named are 0.
 */
export function registersStruct(
  values: Readonly<Partial<Record<Register, bigint>>>,
): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(kvm_regs.size));
  for (const [name, value] of Object.entries(values)) {
    // The keys of `values` are registers: its type has no others.
    view.setBigUint64(kvm_regs.at[name as Register], value, true);
  }
  return new Uint8Array(view.buffer);
}

/** Bytes of a vCPU's saved registers: a `struct kvm_regs`, then a `struct kvm_sregs`. */
export const VCPU_STATE_BYTES: number = kvm_regs.size + kvm_sregs.size;

/**
 * Copies the general, segment, table and control registers of a vCPU. This program's guests use no
 * others.
 *
 * @param vcpu The vCPU. It does not run, and its last exit is complete, see
 * {@linkcode completeExit}.
 * @param into {@linkcode VCPU_STATE_BYTES} bytes that receive them.
 * @throws {KernelError} If the kernel fails a call.
 */
export function saveVcpuState(vcpu: Vcpu, into: Uint8Array<ArrayBuffer>): void {
  const regs = into.subarray(0, kvm_regs.size);
  const sregs = into.subarray(kvm_regs.size);
  checked(vcpu.ioctl(KVM_GET_REGS, regs), () => `KVM_GET_REGS on vCPU ${vcpu.id}`);
  checked(vcpu.ioctl(KVM_GET_SREGS, sregs), () => `KVM_GET_SREGS on vCPU ${vcpu.id}`);
}

/**
 * Restores a vCPU's saved registers. The control registers go first, as the meaning of the general
 * ones depends on them.
 *
 * @param from The bytes that {@linkcode saveVcpuState} wrote.
 * @throws {KernelError} If the kernel refuses: EINVAL for an impossible combination.
 */
export function restoreVcpuState(vcpu: Vcpu, from: Uint8Array<ArrayBuffer>): void {
  const regs = from.subarray(0, kvm_regs.size);
  const sregs = from.subarray(kvm_regs.size);
  checked(vcpu.ioctl(KVM_SET_SREGS, sregs), () => `KVM_SET_SREGS on vCPU ${vcpu.id}`);
  checked(vcpu.ioctl(KVM_SET_REGS, regs), () => `KVM_SET_REGS on vCPU ${vcpu.id}`);
}

/**
 * Completes a vCPU's last exit. After `KVM_EXIT_IO` and similar exits the registers are right only
 * once `KVM_RUN` was entered again. With `immediate_exit` that completes the instruction and runs
 * no other (api.rst, section 5, "The kvm_run structure").
 *
 * @param vcpu The vCPU, which does not run.
 * @throws {KernelError} If `KVM_RUN` answers anything but EINTR.
 */
export function completeExit(vcpu: Vcpu): void {
  const { address, bytes } = vcpu.runMapping;
  const page = vcpu.kernel.view(address, bytes);
  page[kvm_run.at.immediate_exit] = 1;
  const answer = vcpu.run();
  page[kvm_run.at.immediate_exit] = 0;
  if (answer === -ERRNO.EINTR) return;
  throw new KernelError(`KVM_RUN on vCPU ${vcpu.id}, with immediate_exit`, answer);
}

/** The CPUID leaf of extended features, and its bit for long mode. */
const EXTENDED_FEATURES = 0x8000_0001;
const LONG_MODE_EDX = 1 << 29;

/**
 * The bytes of a `struct kvm_cpuid2` with the CPUID of this program's vCPUs: long mode, and nothing
 * else.
 *
 * Since "KVM: x86: Check EFER validity on KVM_SET_SREGS*" (v7.3, 184bd464bdb6, and stable kernels
 * from 2026 on) `KVM_SET_SREGS` refuses EFER.LME to a vCPU whose CPUID has no long mode, so CPUID
 * has to be set first. There is one leaf, and not all that `KVM_GET_SUPPORTED_CPUID` offers, for
 * two reasons. The guest is the same on every host, also on the one that restores its checkpoint.
 * And without leaf 0x80000008 a vCPU has the 36 address bits on which the long-mode guest and the
 * model's page walk rely (`cpuid_query_maxphyaddr`, arch/x86/kvm/cpuid.c).
 *
 * @example
 * ```ts
 * import { cpuidStruct } from "./vcpu.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = new Uint32Array(cpuidStruct().buffer);
 * assertEquals([words.length, words[0], words[2]], [12, 1, 0x80000001]);
 * ```
 *
 * @returns The struct with its one entry.
 */
export function cpuidStruct(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(kvm_cpuid2.size + kvm_cpuid_entry2.size));
  view.setUint32(kvm_cpuid2.at.nent, 1, true);
  view.setUint32(kvm_cpuid2.size + kvm_cpuid_entry2.at.function, EXTENDED_FEATURES, true);
  view.setUint32(kvm_cpuid2.size + kvm_cpuid_entry2.at.edx, LONG_MODE_EDX, true);
  return new Uint8Array(view.buffer);
}
