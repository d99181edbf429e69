// Where a result comes from: this program, its command line, the host and the kernel that answered.
import type { Kernel } from "../ffi/kernel.ts";
import { kvmModule, readLine, readText } from "./facts.ts";

/** Where a result comes from. */
export interface Provenance {
  /** This program. */
  readonly tool: {
    readonly version: string;
    /** The commit of its sources; `null` if it is not known. */
    readonly commit: string | null;
  };
  /** The command line, as it was given. */
  readonly commandLine: readonly string[];
  /** The computer; in a machine of `--kernel` it is that one. */
  readonly host: HostFacts;
  /** The kernel that was asked; `null` for a model, and where several were asked. */
  readonly kernel: KernelOrigin | null;
  /** When the command ran; `null` with `--no-times`. */
  readonly time: {
    /** When it began, in UTC, as ISO 8601. */
    readonly startedAt: string;
    /** Nanoseconds until its result was there. */
    readonly durationNs: number;
  } | null;
}

/** The computer that the program ran on. */
export interface HostFacts {
  /** The processor's model as `/proc/cpuinfo` names it; `null` on the model, which reads no files. */
  readonly cpu: string | null;
  /** Logical processors. */
  readonly cores: number;
  /** Memory in bytes; `null` as `cpu`. */
  readonly memoryBytes: number | null;
}

/** The kernel that was asked, beyond its release. */
export interface KernelOrigin {
  /** Its build, as `uname -v` prints it. */
  readonly build: string | null;
  /** Its command line. */
  readonly commandLine: string | null;
  /** The id of this boot. */
  readonly bootId: string | null;
  /** The parameters of KVM's modules that exist here, `"kvm_amd.npt"`, as sysfs shows them. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Parameters that change what a dirty ring shows or costs. They are read by name, since the system
 * calls of this program do not list folders.
 */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  kvm: [
    "eager_page_split",
    "enable_vmware_backdoor",
    "force_emulation_prefix",
    "halt_poll_ns",
    "ignore_msrs",
    "mmio_caching",
    "nx_huge_pages",
    "tdp_mmu",
  ],
  kvm_amd: ["avic", "force_avic", "nested", "npt", "nrips", "sev", "vls"],
  kvm_intel: [
    "emulate_invalid_guest_state",
    "enable_apicv",
    "ept",
    "eptad",
    "nested",
    "pml",
    "unrestricted_guest",
    "vpid",
  ],
  kvm_pvm: [],
};

const MOST_CPUINFO = 1 << 22;

/** What is known of a command before it runs. */
export interface Origin {
  /** The command line, as it was given. */
  readonly commandLine: readonly string[];
  /** The program's version. */
  readonly version: string;
  /** The commit of its sources; `null` if it is not known. */
  readonly commit: string | null;
  /** When it began. */
  readonly began: Date;
  /** The same moment by `performance.now()`. */
  readonly beganMs: number;
}

/**
 * Gathers where a result comes from. It reads some thirty small files through the kernel's calls,
 * so that it is made after all that is measured.
 *
 * @param kernel The kernel that was asked; `null` if none was, or several.
 */
export function provenanceOf(origin: Origin, kernel: Kernel | null): Provenance {
  const { commandLine, version, commit, began, beganMs } = origin;
  const real = kernel?.backend === "kvm" ? kernel : null;
  return {
    tool: { version, commit },
    commandLine,
    host: hostFacts(real),
    kernel: real === null ? null : kernelOrigin(real),
    time: {
      startedAt: began.toISOString(),
      durationNs: Math.round((performance.now() - beganMs) * 1e6),
    },
  };
}

function hostFacts(kernel: Kernel | null): HostFacts {
  const { hardwareConcurrency: cores } = navigator;
  if (kernel === null) return { cpu: null, cores, memoryBytes: null };
  const cpuinfo = readText(kernel, "/proc/cpuinfo", MOST_CPUINFO) ?? "";
  const meminfo = readText(kernel, "/proc/meminfo", MOST_CPUINFO) ?? "";
  const kib = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? null,
    cores,
    memoryBytes: kib === undefined ? null : Number(kib) * 1024,
  };
}

function kernelOrigin(kernel: Kernel): KernelOrigin {
  const parameters: Record<string, string> = {};
  for (const module of ["kvm", kvmModule(kernel) ?? ""]) {
    for (const name of PARAMETERS[module] ?? []) {
      const value = readLine(kernel, `/sys/module/${module}/parameters/${name}`);
      if (value !== null) parameters[`${module}.${name}`] = value;
    }
  }
  return {
    build: readLine(kernel, "/proc/sys/kernel/version"),
    commandLine: readLine(kernel, "/proc/cmdline"),
    bootId: readLine(kernel, "/proc/sys/kernel/random/boot_id"),
    parameters,
  };
}
