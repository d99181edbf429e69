import type { Mutation } from "./mutate.ts";
import { CALL_MUTATIONS } from "./mutations_of_calls.ts";
import { PUSH_MUTATIONS } from "./mutations_of_pushes.ts";
import { RESET_MUTATIONS } from "./mutations_of_resets.ts";

/** The wrong kernels, each broken in one place. */
export const MUTATIONS: readonly Mutation[] = [
  ...CALL_MUTATIONS,
  ...PUSH_MUTATIONS,
  ...RESET_MUTATIONS,
];
