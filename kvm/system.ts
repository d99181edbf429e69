import { checked, ERRNO, errnoText, HostError, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../ffi/kvm_constants.ts";
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_VCPU_MMAP_SIZE,
} from "../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { O_CLOEXEC, O_RDWR, PAGE_SIZE } from "../ffi/linux.ts";
import { KvmFd } from "./mapping.ts";
import { RunTicks } from "./run_ticks.ts";
import type { TickSource } from "./vcpu.ts";
import { Vm } from "./vm.ts";

/** The device that creates VMs. */
export const DEVICE = "/dev/kvm";

/** The only KVM API version that a program should accept (api.rst, section 4.1). */
const API_VERSION = 12;

// Advice for errnos of open("/dev/kvm") that are caused by the host. Any other (EMFILE, for
// example) is a plain failure.
const OPEN_ADVICE: ReadonlyMap<number, string> = new Map([
  [
    ERRNO.ENOENT,
    "load KVM (modprobe kvm_intel or kvm_amd) or build it in (CONFIG_KVM); in a container, pass " +
    "the device in (--device /dev/kvm)",
  ],
  [
    ERRNO.ENODEV,
    "no KVM module drives this processor: look for the reason in dmesg, and whether " +
    "virtualization is off in the firmware or not passed into this VM",
  ],
  [ERRNO.ENXIO, "load the module that drives this processor (modprobe kvm_intel or kvm_amd)"],
  [
    ERRNO.EACCES,
    "run as root, or become a member of its group if that may read and write it (ls -l /dev/kvm; most " +
    "often: sudo usermod -aG kvm $USER, then log in again)",
  ],
  [ERRNO.EPERM, "let this container or sandbox use the device (--device /dev/kvm)"],
]);

/**
 * `/dev/kvm`: reports what the host offers and creates VMs (api.rst, section 4, "system ioctls").
 */
export class System extends KvmFd {
  #ticks: RunTicks | null | undefined;

  /**
   * Opens `/dev/kvm` and checks its API version.
   *
   * @example
   * ```ts ignore
   * import { openLibc } from "../ffi/libc.ts";
   * import { System } from "./system.ts";
   *
   * using system = System.open(openLibc());
   * console.log(system.checkExtension(192)); // 1048576: the largest ring in bytes
   * ```
   *
   * @returns The open device; the caller disposes it.
   * @throws {HostError} If there is no usable KVM, with advice.
   * @throws {KernelError} If opening failed for another reason, such as EMFILE.
   */
  static open(kernel: Kernel): System {
    const fd = kernel.open(DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      const advice = OPEN_ADVICE.get(-fd);
      if (advice === undefined) throw new KernelError(`open(${DEVICE})`, fd);
      throw new HostError(`open(${DEVICE}): ${errnoText(-fd)}`, advice);
    }
    const system = new System(kernel, fd);
    const version = system.ioctl(KVM_GET_API_VERSION);
    if (version !== API_VERSION) {
      system[Symbol.dispose]();
      const answer = version < 0 ? errnoText(-version) : `${version}`;
      throw new HostError(
        `KVM_GET_API_VERSION on ${DEVICE}: ${answer}, expected ${API_VERSION}`,
        "look at what stands there (ls -l /dev/kvm: a character device, 10, 232)",
      );
    }
    return system;
  }

  /**
   * A capability's value: 0 if this KVM does not have it.
   *
   * @param capability A `KVM_CAP_*` number.
   * @returns The value; what it means depends on the capability.
   * @throws {KernelError} If the kernel fails the call.
   */
  checkExtension(capability: number): number {
    return checked(
      this.ioctl(KVM_CHECK_EXTENSION, capability),
      () => `KVM_CHECK_EXTENSION(${capability})`,
    );
  }

  /**
   * The size of a vCPU's `kvm_run` mapping in bytes, without the ring.
   *
   * @throws {KernelError} If the kernel fails the call.
   */
  vcpuMmapSize(): number {
    return checked(this.ioctl(KVM_GET_VCPU_MMAP_SIZE), "KVM_GET_VCPU_MMAP_SIZE");
  }

  /**
   * Makes a VM without memory or vCPUs.
   *
   * @param type Its type: a number whose bit is set in `KVM_CAP_VM_TYPES`; 0 is the default type.
   * @returns The VM; the caller disposes it.
   * @throws {KernelError} If the kernel refuses: EMFILE, ENOMEM, EBUSY beside another hypervisor.
   */
  createVm(type = 0): Vm {
    const fd = checked(this.ioctl(KVM_CREATE_VM, type), "KVM_CREATE_VM");
    return new Vm(this.kernel, fd, this.ticks);
  }

  /**
   * The ticks of the thread that runs this device's vCPUs. They start on first use and end with the
   * device.
   */
  readonly ticks: TickSource = () => {
    if (this.#ticks === undefined) this.#ticks = RunTicks.start(this.kernel);
    return this.#ticks;
  };

  /** Stops the ticks and closes the device. */
  override [Symbol.dispose](): void {
    this.#ticks?.[Symbol.dispose]();
    this.#ticks = null;
    super[Symbol.dispose]();
  }
}

/** Entries that a ring keeps free for pushes after its soft limit (KVM_DIRTY_RING_RSVD_ENTRIES). */
const RESERVED = 64;
/** Entries kept free in addition on a processor with PML, for its buffer. */
const RESERVED_FOR_PML = 512;

/** A ring's limits. */
export interface RingLimits {
  /** Size in entries. */
  readonly entries: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Entries kept free; `null` if they cannot be inferred from the smallest ring. */
  readonly reserved: number | null;
  /** Entries in use from which a guest entry reports a full ring: entries − reserved, or `null`. */
  readonly softLimit: number | null;
  /**
   * The kernel reports neither of the two: they are inferred from the smallest ring that it
   * accepts.
   */
  readonly inferred: true;
}

/**
 * The size of the largest ring in bytes.
 *
 * @throws {HostError} If the kernel has no dirty ring.
 */
export function largestRing(system: System): number {
  const bytes = system.checkExtension(KVM_CAP_DIRTY_LOG_RING);
  if (bytes > 0) return bytes;
  throw new HostError(
    "KVM_CHECK_EXTENSION(KVM_CAP_DIRTY_LOG_RING): 0, this kernel has no dirty ring",
    "boot Linux 5.11 or newer on x86-64",
  );
}

/**
 * The size in bytes of the smallest ring that this kernel accepts, found by trying on a fresh VM.
 *
 * @param largest Bytes of the largest ring.
 * @throws {KernelError} If it accepts no size up to the largest.
 */
export function smallestRing(system: System, largest: number): number {
  using vm = system.createVm();
  let answer = 0;
  for (let bytes: number = kvm_dirty_gfn.size; bytes <= largest; bytes *= 2) {
    answer = vm.enableCap(KVM_CAP_DIRTY_LOG_RING, bytes);
    if (answer === 0) return bytes;
  }
  throw new KernelError(`KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, ${largest})`, answer);
}

/**
 * Infers the reserved entries from the smallest ring. A ring must be large enough to hold them, and
 * be a page at least.
 *
 * @param smallest Bytes of the smallest ring that the kernel accepts.
 * @returns Entries, after `kvm_dirty_ring_get_rsvd_entries` of v5.11 to v6.18; `null` if none of
 * its values gives this smallest ring.
 */
export function inferReserved(smallest: number): number | null {
  if (smallest === PAGE_SIZE) return RESERVED;
  return smallest === 4 * PAGE_SIZE ? RESERVED + RESERVED_FOR_PML : null;
}

/**
 * The limits of a ring.
 *
 * @param bytes The ring's size.
 * @param reserved Its reserved entries; `null` if they could not be inferred.
 */
export function ringLimits(bytes: number, reserved: number | null): RingLimits {
  const entries = bytes / kvm_dirty_gfn.size;
  const softLimit = reserved === null ? null : entries - reserved;
  return { entries, bytes, reserved, softLimit, inferred: true };
}
