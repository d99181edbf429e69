/**
 * Tiny guests that dirty memory in a known way: machine code that walks a list of addresses, stores
 * a growing value at each, and stops. {@linkcode real16} runs in real mode, {@linkcode long64} in
 * long mode, which every KVM runs natively. {@linkcode generate} makes the list of pages, in one of
 * several orders.
 *
 * @example Which pages a guest shall dirty, and what its vCPU begins with
 * ```ts
 * import { generate, long64 } from "@dirtyring/dirtyring/guest";
 * import { assertEquals } from "@std/assert";
 *
 * const sizes = { stores: 4, pages: 64, firstHalf: 32, secondHalf: 32, seed: 1 };
 * assertEquals([...generate({ name: "stride", parameter: 16 }, sizes)], [0, 16, 32, 48]);
 *
 * const { rip, rcx } = long64.begin({ list: long64.listAt, stores: 4, value: 1, step: 1 });
 * assertEquals([rip, rcx], [BigInt(long64.codeAt), 4n]);
 * ```
 *
 * @module
 */
export type { Errand, Guest, GuestName } from "./guest.ts";
export { long64 } from "./long64.ts";
export { real16 } from "./real16.ts";
export {
  generate,
  type GeneratedName,
  parsePattern,
  type Pattern,
  PATTERN_FORMS,
  type PatternSpace,
} from "./pattern.ts";
export type { Register } from "../ffi/kvm_structs.ts";
