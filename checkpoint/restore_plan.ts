import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { parsePattern } from "../guest/pattern.ts";
import { sharesOf } from "../lab/blocks.ts";
import type { CheckpointHeader } from "./checkpoint_header.ts";
import { GUESTS, type Plan, planLab } from "../lab/plan.ts";
import { UsageError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";

/**
 * Thinks the machine of a checkpoint out, from its header. A pattern that came from a file is taken from the access
 * list in slot 0.
 *
 * @param header The header, of a file that was checked.
 * @param slot0 The slot 0 that belongs to it.
 * @param path The file, for the error.
 * @returns The plan.
 * @throws {UsageError} Where the access list names what is no page.
 */
export function restorePlan(
  header: CheckpointHeader,
  slot0: Uint8Array<ArrayBuffer>,
  path: string,
): Plan {
  const { lab } = header;
  const pattern = parsePattern(lab.pattern);
  const options = { ...lab, pattern, ringBytes: lab.ring * kvm_dirty_gfn.size, rounds: 1 };
  const isListed = pattern.name === "file";
  return planLab(options, isListed ? () => readList(header, slot0, path) : undefined);
}

// The pattern, from the first pass of each vCPU's block.
function readList(
  { lab, slot0Bytes }: CheckpointHeader,
  slot0: Uint8Array<ArrayBuffer>,
  path: string,
): Uint32Array<ArrayBuffer> {
  const { listAt, listElement } = GUESTS[lab.guest];
  const view = new DataView(slot0.buffer, slot0.byteOffset, slot0.length);
  const pages = lab.memory / PAGE_SIZE;
  const list = new Uint32Array(lab.pages);
  sharesOf(lab.pages, lab.vcpus).forEach(({ first, stores }) => {
    for (let n = 0; n < stores; n++) {
      const at = listAt + (first * lab.passes + n) * listElement;
      const address = listElement === 4
        ? view.getUint32(at, true)
        : Number(view.getBigUint64(at, true));
      const page = (address - slot0Bytes) / PAGE_SIZE;
      if (!Number.isInteger(page) || page < 0 || page >= pages) {
        const store = first + n;
        throw new UsageError(
          `${
            printable(path)
          }: its access list names address ${address} as store ${store}, which is no page of ` +
            "logged memory; expected one that dirtyring checkpoint --output wrote",
        );
      }
      list[first + n] = page;
    }
  });
  return list;
}
