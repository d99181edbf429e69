// Request numbers as <asm-generic/ioctl.h> builds them: 2 bits of direction, 14 of size, 8 of type
// and 8 of number. They are computed here, never written out, so that a wrong struct size shows.

const NONE = 0;
const WRITE = 1;
const READ = 2;

function request(direction: number, type: number, number: number, size: number): number {
  if (size >= 1 << 14) throw new RangeError(`Cannot encode an ioctl argument of ${size} bytes`);
  return ((direction << 30) | (size << 16) | (type << 8) | number) >>> 0;
}

/**
 * `_IO`: a request without a struct.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @returns The request number.
 */
export function io(type: number, number: number): number {
  return request(NONE, type, number, 0);
}

/**
 * `_IOR`: the kernel writes a struct that user space reads.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function ior(type: number, number: number, size: number): number {
  return request(READ, type, number, size);
}

/**
 * `_IOWR`: user space passes a struct that the kernel reads and writes.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function iowr(type: number, number: number, size: number): number {
  return request(READ | WRITE, type, number, size);
}

/**
 * `_IOW`: user space passes a struct that the kernel reads.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function iow(type: number, number: number, size: number): number {
  return request(WRITE, type, number, size);
}
