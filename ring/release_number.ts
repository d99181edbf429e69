/**
 * A kernel release as a number that can be compared: 1000 times the major version plus the minor one.
 *
 * @example
 * ```ts
 * import { releaseNumber } from "./release_number.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["6.18.44", "5.15.0-91-generic", "x"].map(releaseNumber), [6018, 5015, NaN]);
 * ```
 *
 * @param release What uname(2) calls the release, or its beginning: `6.18`.
 * @returns The number; NaN where the text is no release.
 */
export function releaseNumber(release: string): number {
  const [major, minor] = release.split(".").map((part) => Number.parseInt(part, 10));
  return (major ?? NaN) * 1000 + (minor ?? NaN);
}
