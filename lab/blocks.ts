/** A vCPU's part of the access list. */
export interface Block {
  /** Its first element. */
  readonly first: number;
  /** Its elements. */
  readonly stores: number;
}

/**
 * Shares stores out: contiguous blocks, the first few with one store more.
 *
 * @param stores Stores of the pattern.
 * @param vcpus vCPUs.
 * @returns A block for each vCPU.
 */
export function sharesOf(stores: number, vcpus: number): Block[] {
  const each = Math.floor(stores / vcpus);
  const more = stores % vcpus;
  return Array.from({ length: vcpus }, (_, id) => ({
    first: id * each + Math.min(id, more),
    stores: id < more ? each + 1 : each,
  }));
}

/**
 * Repeats each block where it stands.
 *
 * @param sequence The pattern: a page number for each store.
 * @param blocks The vCPUs' blocks of it.
 * @param passes How often each is to stand there, one after another.
 * @returns The list.
 */
export function repeatBlocks(
  sequence: Uint32Array<ArrayBuffer>,
  blocks: readonly Block[],
  passes: number,
): Uint32Array<ArrayBuffer> {
  const list = new Uint32Array(sequence.length * passes);
  for (const { first, stores } of blocks) {
    const block = sequence.subarray(first, first + stores);
    for (let n = 0; n < passes; n++) list.set(block, first * passes + n * stores);
  }
  return list;
}

/**
 * How often a vCPU's block shall stand in its list, so that the list is long enough to be begun again seldom.
 *
 * @param stores Stores of the pattern, over all vCPUs.
 * @param vcpus vCPUs.
 * @param least Elements that a vCPU's part of the list shall have.
 * @returns Passes, one or more.
 */
export function passesFor(stores: number, vcpus: number, least: number): number {
  return Math.max(1, Math.ceil(least / Math.max(1, Math.floor(stores / vcpus))));
}
