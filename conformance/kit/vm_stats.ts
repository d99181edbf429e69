// KVM's statistics of a VM, and the permissions that some checks need.
import { checked, HostError } from "../../ffi/errors.ts";
import { KVM_GET_STATS_FD } from "../../ffi/kvm_ioctls.ts";
import { struct } from "../../ffi/kvm_structs.ts";
import { joined, readLine, readPieces } from "../../host/facts.ts";
import type { Vm } from "../../kvm/vm.ts";
import type { CheckHost } from "./check_host.ts";
import { CheckSkip, CheckWithheld } from "./expect.ts";

const kvm_stats_header = struct("kvm_stats_header", {
  flags: "u32",
  name_size: "u32",
  num_desc: "u32",
  id_offset: "u32",
  desc_offset: "u32",
  data_offset: "u32",
});

/** The descriptor before a statistic's name. `exponent` is signed in the kernel. */
const kvm_stats_desc = struct("kvm_stats_desc", {
  flags: "u32",
  exponent: "u16",
  size: "u16",
  offset: "u32",
  bucket_size: "u32",
});

/**
 * The current value of a statistic of a VM (api.rst, "KVM_GET_STATS_FD").
 *
 * @param name The statistic's name, such as `remote_tlb_flush_requests`.
 * @returns The first value, or `null` where the kernel has no such statistic.
 * @throws {KernelError} Where the statistics cannot be read.
 */
export function vmStat(vm: Vm, name: string): bigint | null {
  const fd = checked(vm.ioctl(KVM_GET_STATS_FD), "KVM_GET_STATS_FD");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = joined(readPieces(vm.kernel, fd, "KVM statistics"));
  } finally {
    vm.kernel.close(fd);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = (field: keyof typeof kvm_stats_header.at) =>
    view.getUint32(kvm_stats_header.at[field], true);
  const nameBytes = header("name_size");
  for (let n = 0; n < header("num_desc"); n++) {
    const at = header("desc_offset") + n * (kvm_stats_desc.size + nameBytes);
    const nameAt = at + kvm_stats_desc.size;
    if (cString(bytes.subarray(nameAt, nameAt + nameBytes)) !== name) continue;
    const dataAt = header("data_offset") + view.getUint32(at + kvm_stats_desc.at.offset, true);
    return view.getBigUint64(dataAt, true);
  }
  return null;
}

function cString(bytes: Uint8Array<ArrayBuffer>): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/**
 * Skips a check that makes the kernel warn, unless that is allowed and safe.
 *
 * @throws {CheckSkip} Without `--allow-warn`, or where a warning causes a panic.
 */
export function needsToWarn(host: CheckHost): void {
  if (!host.options.allowWarn) {
    throw new CheckWithheld("the kernel would warn and be tainted", "allow-warn");
  }
  if (readLine(host.kernel, "/proc/sys/kernel/panic_on_warn") === "1") {
    throw new CheckSkip("the kernel would warn, and panic_on_warn is 1");
  }
}

/**
 * Skips a check that could make a kernel write to memory it must not touch.
 *
 * @throws {CheckSkip} On a real kernel without `--allow-harm`.
 */
export function needsToHarm(host: CheckHost): void {
  if (host.kernel.insight !== null || host.options.allowHarm) return;
  throw new CheckWithheld("a kernel without the fix could be harmed", "allow-harm");
}

/**
 * Runs a call that needs another process, and skips the check where none can be started.
 *
 * @throws {CheckSkip} Where Deno may not start a process.
 */
export function skipsWithoutProcess<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof HostError) throw new CheckSkip(error.message);
    throw error;
  }
}
