import { ERRNO, errnoText } from "../ffi/errno.ts";
import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_VCPU_MMAP_SIZE,
} from "../ffi/kvm_ioctls.ts";
import { O_CLOEXEC, O_RDWR } from "../ffi/linux.ts";
import { KvmFd } from "./kvm_fd.ts";
import { RunTicks } from "./run_ticks.ts";
import type { TickSource } from "./vcpu.ts";
import { Vm } from "./vm.ts";

/** The device that every VM begins with. */
export const DEVICE = "/dev/kvm";

/** The only version of the KVM interface that a program should run on (api.rst, section 4.1). */
const API_VERSION = 12;

// What an errno of open("/dev/kvm") says about the host. Any other (EMFILE, say) is a plain failure.
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

/** `/dev/kvm`: what the host offers, and where VMs come from (api.rst, section 4, "system ioctls"). */
export class System extends KvmFd {
  #ticks: RunTicks | null | undefined;

  /**
   * Opens `/dev/kvm` and checks that it speaks the interface of this program.
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
   * @param kernel The kernel that answers.
   * @returns The open device.
   * @throws {HostError} Where there is no usable KVM, with what to do about it.
   * @throws {KernelError} Where opening failed for another reason, such as EMFILE.
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
   * A capability's value: 0 where this KVM does not have it.
   *
   * @param capability A `KVM_CAP_*` number.
   * @returns The value; its meaning is the capability's own.
   * @throws {KernelError} Where the kernel fails the call.
   */
  checkExtension(capability: number): number {
    return checked(
      this.ioctl(KVM_CHECK_EXTENSION, capability),
      () => `KVM_CHECK_EXTENSION(${capability})`,
    );
  }

  /**
   * The bytes of a vCPU's `kvm_run` mapping. The ring is not among them.
   *
   * @returns Bytes.
   * @throws {KernelError} Where the kernel fails the call.
   */
  vcpuMmapSize(): number {
    return checked(this.ioctl(KVM_GET_VCPU_MMAP_SIZE), "KVM_GET_VCPU_MMAP_SIZE");
  }

  /**
   * Makes a VM without memory or vCPUs.
   *
   * @param type Its type, a number whose bit `KVM_CAP_VM_TYPES` has; 0 is the common one.
   * @returns The VM.
   * @throws {KernelError} Where the kernel refuses: EMFILE, ENOMEM, EBUSY beside another hypervisor.
   */
  createVm(type = 0): Vm {
    const fd = checked(this.ioctl(KVM_CREATE_VM, type), "KVM_CREATE_VM");
    return new Vm(this.kernel, fd, this.ticks);
  }

  /**
   * The ticks of the thread that runs this device's vCPUs: started when they are first asked for, and ended with the
   * device.
   */
  readonly ticks: TickSource = () => {
    if (this.#ticks === undefined) this.#ticks = RunTicks.start(this.kernel);
    return this.#ticks;
  };

  /** Ends the ticks, and closes the device. */
  override [Symbol.dispose](): void {
    this.#ticks?.[Symbol.dispose]();
    this.#ticks = null;
    super[Symbol.dispose]();
  }
}
