import { bytesFile, type OpenFile } from "./open_file.ts";
import type { ModelVm } from "./vm.ts";

// `struct kvm_stats_header`, an id, one `struct kvm_stats_desc` with its name for each statistic, and the
// values (api.rst, "KVM_GET_STATS_FD").
const HEADER_BYTES = 24;
const NAME_BYTES = 48;
const DESCRIPTOR_BYTES = 16 + NAME_BYTES;

/**
 * A VM's binary statistics, as they are when the file is opened.
 *
 * @param vm The VM.
 * @returns The file.
 */
export function statsFile(vm: ModelVm): OpenFile {
  const values: readonly (readonly [string, number])[] = [
    ["remote_tlb_flush", vm.remote_tlb_flush_requests],
    ["remote_tlb_flush_requests", vm.remote_tlb_flush_requests],
  ];
  const descriptorsAt = HEADER_BYTES + NAME_BYTES;
  const dataAt = descriptorsAt + values.length * DESCRIPTOR_BYTES;
  const bytes = new Uint8Array(dataAt + values.length * 8);
  const view = new DataView(bytes.buffer);
  const header = [0, NAME_BYTES, values.length, HEADER_BYTES, descriptorsAt, dataAt];
  header.forEach((word, n) => view.setUint32(n * 4, word, true));
  const encoder = new TextEncoder();
  encoder.encodeInto("kvm-model", bytes.subarray(HEADER_BYTES));
  values.forEach(([name, value], n) => {
    const at = descriptorsAt + n * DESCRIPTOR_BYTES;
    view.setUint16(at + 6, 1, true); // size: one value
    view.setUint32(at + 8, n * 8, true); // offset in the data
    encoder.encodeInto(name, bytes.subarray(at + 16));
    view.setBigUint64(dataAt + n * 8, BigInt(value), true);
  });
  return bytesFile(bytes);
}
