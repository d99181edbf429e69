/** What a machine of Bochs is made of. */
export interface BochsMachine {
  /** Its memory in MiB. */
  readonly memoryMib: number;
  /** The disk that it boots from, and the one beside it. */
  readonly disks: readonly [string, string];
}

/** The code that a machine begins with. */
export const BIOS = "/usr/share/bochs/BIOS-bochs-latest";
/** The code of its screen. */
export const SCREEN_BIOS = "/usr/share/vgabios/vgabios.bin";

/** Bochs' clock: so many instructions are a second of the machine, and so fast is its time stamp counter. */
const IPS = 500_000_000;

/**
 * What the kernel needs to be told on Bochs: how fast the time stamp counter is, which it cannot measure and may trust;
 * that XSAVE's compacted areas, which are not consistent there, are not to be used; and that a reboot is a triple fault,
 * which ends Bochs. What the host says comes on the third serial port.
 */
export const BOCHS_KERNEL_ARGS = `nokaslr noxsaves clearcpuid=xsaves,xsavec tsc_early_khz=${
  IPS / 1000
} tsc=reliable clocksource=tsc reboot=t FROM_HOST=/dev/ttyS2`;

/**
 * The configuration of Bochs, a bochsrc. The first serial port is standard error. The second is file descriptor 3: in
 * its mode `file` Bochs waits until a byte is taken, in every other it loses what is not taken in time. That mode only
 * writes, so the third one reads: file descriptor 4, where nothing is written to.
 *
 * @param machine The machine.
 * @returns The text.
 */
export function bochsConfig({ memoryMib, disks }: BochsMachine): string {
  return [
    "display_library: term, options=hideIPS",
    "config_interface: textconfig",
    `cpu: model=corei7_skylake_x, ips=${IPS}, reset_on_triple_fault=0`,
    `memory: guest=${memoryMib}, host=${memoryMib}`,
    `romimage: file=${BIOS}`,
    `vgaromimage: file=${SCREEN_BIOS}`,
    "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
    `ata0-master: type=disk, mode=flat, path=${disks[0]}`,
    `ata0-slave: type=disk, mode=flat, path=${disks[1]}`,
    "boot: disk",
    "com1: enabled=1, mode=file, dev=/dev/stderr",
    "com2: enabled=1, mode=file, dev=/dev/fd/3",
    "com3: enabled=1, mode=term, dev=/dev/fd/4",
    "plugin_ctrl: speaker=0, parallel=0, gameport=0",
    "clock: sync=none, time0=utc",
    "log: /dev/null",
    "panic: action=fatal",
    "error: action=ignore",
    "info: action=ignore",
    "debug: action=ignore",
    "",
  ].join("\n");
}
