import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Guest, GuestName } from "../guest/guest.ts";
import { long64 } from "../guest/long64.ts";
import { parsePattern, type Pattern } from "../guest/pattern.ts";
import { real16 } from "../guest/real16.ts";
import { sharesOf } from "../lab/blocks.ts";
import type { CheckpointHeader } from "./checkpoint_header.ts";
import { type Plan, planLab } from "../lab/plan.ts";
import { UsageError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";

const GUESTS: Readonly<Record<GuestName, Guest>> = { real16, long64 };

/**
 * Thinks the machine of a checkpoint out, from its header. A pattern that came from a file is taken from the access
 * list in slot 0.
 *
 * @param header The header.
 * @param slot0 The slot 0 that belongs to it.
 * @returns The plan.
 * @throws {UsageError} Where this program cannot make such a machine.
 */
export function restorePlan(header: CheckpointHeader, slot0: Uint8Array<ArrayBuffer>): Plan {
  const { lab } = header;
  const pattern = patternOf(lab.pattern);
  const options = { ...lab, pattern, ring: lab.ring * kvm_dirty_gfn.size, rounds: 1 };
  const isListed = pattern.name === "file";
  const plan = planLab(options, isListed ? () => readList(header, slot0) : undefined);
  if (plan.slots[0]!.pages * PAGE_SIZE === header.slot0Bytes) return plan;
  throw new UsageError(
    `the checkpoint's slot 0 has ${header.slot0Bytes} bytes, where this program would lay out ` +
      `${plan.slots[0]!.pages * PAGE_SIZE}; expected one of the same version`,
  );
}

function patternOf(text: string): Pattern {
  try {
    return parsePattern(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`the checkpoint's pattern ${printable(text)}: ${error.message}`);
  }
}

// The pattern, from the first pass of each vCPU's block.
function readList(
  { lab, slot0Bytes }: CheckpointHeader,
  slot0: Uint8Array<ArrayBuffer>,
): Uint32Array<ArrayBuffer> {
  const { listAt, listElement } = GUESTS[lab.guest];
  const view = new DataView(slot0.buffer, slot0.byteOffset, slot0.length);
  const pages = lab.memory / PAGE_SIZE;
  const list = new Uint32Array(lab.pages);
  sharesOf(lab.pages, lab.vcpus).forEach(({ first, stores }) => {
    for (let n = 0; n < stores; n++) {
      const at = listAt + (first * lab.passes + n) * listElement;
      const address = at + listElement > slot0Bytes
        ? NaN
        : listElement === 4
        ? view.getUint32(at, true)
        : Number(view.getBigUint64(at, true));
      const page = (address - slot0Bytes) / PAGE_SIZE;
      if (!Number.isInteger(page) || page < 0 || page >= pages) {
        throw new UsageError(
          `the checkpoint's access list names address ${address} as store ${first + n}, which is ` +
            "no page of logged memory",
        );
      }
      list[first + n] = page;
    }
  });
  return list;
}
