/** Guest physical memory as the processor reaches it. */
export interface CpuMemory {
  /** Low 32 bits of the last load or fetch that answered true. */
  low: number;
  /** High 32 bits of it. */
  high: number;
  /**
   * Loads data, all in one page, little endian.
   *
   * @param address Guest physical address, exact.
   * @param size 1, 2, 4 or 8 bytes.
   * @returns Whether it was loaded; where not, the vCPU must leave the guest and run the instruction again.
   */
  load(address: number, size: number): boolean;
  /**
   * Loads instruction bytes, all in one page.
   *
   * @param address Guest physical address, exact.
   * @param size 1 to 8 bytes.
   * @returns Whether they were loaded.
   */
  fetch(address: number, size: number): boolean;
  /**
   * Stores data, all in one page, little endian.
   *
   * @param address Guest physical address, exact.
   * @param size 1, 2, 4 or 8 bytes.
   * @param low Low 32 bits.
   * @param high High 32 bits.
   * @returns Whether it was stored; where not, the vCPU must leave the guest and run the instruction again.
   */
  store(address: number, size: number, low: number, high: number): boolean;
}
