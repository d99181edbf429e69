// The list of all checks. Each file of this folder has those of one section of docs/abi.md, or a
// part of them.
import type { Check, Group } from "../kit/check.ts";
import { SLOTS_CHECKS } from "./changing_slots.ts";
import { COALESCING_CHECKS } from "./coalescing.ts";
import { ENABLING_CHECKS } from "./enabling.ts";
import { ENTRY_CHECKS } from "./entry_states.ts";
import { FULL_RING_CHECKS } from "./full_ring.ts";
import { HARVESTING_CHECKS } from "./harvesting.ts";
import { MAPPING_CHECKS } from "./mapping.ts";
import { PUSHING_CHECKS } from "./pushing.ts";
import { RESETTING_CHECKS } from "./resetting.ts";

/** A check and its group. */
export interface GroupedCheck extends Check {
  /** The section of docs/abi.md that the check belongs to. */
  readonly group: Group;
}

const GROUPS: readonly (readonly [Group, readonly Check[]])[] = [
  ["enabling", ENABLING_CHECKS],
  ["mapping", MAPPING_CHECKS],
  ["entry", ENTRY_CHECKS],
  ["pushing", PUSHING_CHECKS],
  ["harvesting", HARVESTING_CHECKS],
  ["resetting", RESETTING_CHECKS],
  ["full", FULL_RING_CHECKS],
  ["slots", SLOTS_CHECKS],
  ["coalescing", COALESCING_CHECKS],
];

/** Every check, in the order of docs/abi.md. */
export const ALL_CHECKS: readonly GroupedCheck[] = GROUPS.flatMap(([group, checks]) =>
  checks.map((check) => ({ ...check, group }))
);
