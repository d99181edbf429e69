// Checkpoint files for tests: made-up ones, and forged ones that have a valid digest.
import { checkFile } from "../../checkpoint/checkpoint_file.ts";
import {
  type CheckpointHeader,
  type CheckpointLayout,
  DIGEST_BYTES,
  DigestedPieces,
  encodeHead,
} from "../../checkpoint/checkpoint_header.ts";
import type { CheckpointContent } from "../../checkpoint/checkpoint_writer.ts";
import { VCPU_STATE_BYTES } from "../../kvm/vcpu.ts";

const PAGE = 4096;

/** Pseudo-random bytes. */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, n) => (n * 31 + seed * 17 + (n >> 7)) & 0xff);
}

/**
 * A made-up checkpoint with the given pages, of a machine with 2 vCPUs, 16 pages and three in slot
 * 0.
 */
export function madeUp(pages: readonly number[], seed: number): CheckpointContent {
  return {
    header: {
      kernel: { backend: "model", model: "v6.18", release: "6.18.0", module: null },
      tracking: "ring",
      lab: {
        guest: "real16",
        vcpus: 2,
        memory: 16 * PAGE,
        slots: 1,
        ring: 256,
        pattern: "sequential",
        pages: 8,
        passes: 1,
        seed: 1,
      },
      vcpus: [
        { stores: 6, value: 10, passStores: 4, passMade: 2 },
        { stores: 0, value: 3, passStores: 4, passMade: 0 },
      ],
    },
    registers: noise(2 * VCPU_STATE_BYTES, seed),
    slot0: noise(3 * PAGE, seed + 1),
    pages: Uint32Array.from(pages),
    memory: noise(16 * PAGE, seed + 2),
  };
}

/** Changes a checkpoint file and updates its digest. */
export async function forge(
  path: string,
  change: (bytes: Uint8Array<ArrayBuffer>, layout: CheckpointLayout) => void,
): Promise<void> {
  const { layout } = await checkFile(path);
  const bytes = await Deno.readFile(path);
  change(bytes, layout);
  await writeDigested(path, bytes.subarray(0, layout.digest));
}

/**
 * Replaces the header of a checkpoint file, whose length may change, and updates the digest. What
 * follows the header stays the same.
 */
export async function forgeHeader(
  path: string,
  change: (header: CheckpointHeader) => object,
): Promise<void> {
  const { header, layout } = await checkFile(path);
  const bytes = await Deno.readFile(path);
  const head = encodeHead({ ...header, ...change(header) });
  await writeDigested(
    path,
    Uint8Array.from([...head, ...bytes.subarray(layout.registers, layout.digest)]),
  );
}

async function writeDigested(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const pieces = new DigestedPieces(() => {});
  await pieces.put(bytes);
  const digest = await pieces.end();
  const file = new Uint8Array(bytes.length + DIGEST_BYTES);
  file.set(bytes);
  file.set(digest, bytes.length);
  await Deno.writeFile(path, file);
}
