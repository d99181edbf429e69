import { checked } from "../ffi/kernel_error.ts";
import { KVM_GET_STATS_FD } from "../ffi/kvm_ioctls.ts";
import { struct } from "../ffi/struct.ts";
import type { Vm } from "../kvm/vm.ts";
import { joined, readPieces } from "../lab/read_file.ts";

const kvm_stats_header = struct("kvm_stats_header", {
  flags: "u32",
  name_size: "u32",
  num_desc: "u32",
  id_offset: "u32",
  desc_offset: "u32",
  data_offset: "u32",
});

/** What stands before a statistic's name; `exponent` is signed. */
const kvm_stats_desc = struct("kvm_stats_desc", {
  flags: "u32",
  exponent: "u16",
  size: "u16",
  offset: "u32",
  bucket_size: "u32",
});

/**
 * A statistic of a VM, as it is now (api.rst, "KVM_GET_STATS_FD").
 *
 * @param vm The VM.
 * @param name The statistic: `remote_tlb_flush_requests`.
 * @returns Its first value, or `null` where the kernel has no such statistic.
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
