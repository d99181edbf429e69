// The chain of checkpoints in a folder: a full checkpoint, then one file for each epoch after it.

import { ValueError } from "../host/errors.ts";
import { goOn, type InterruptWatch } from "../host/interrupt.ts";
import { printable } from "../text/printable.ts";
import {
  BrokenFile,
  checkFile,
  checkpointName,
  listFolder,
  type WholeFile,
} from "./checkpoint_file.ts";
import type { CheckpointHeader } from "./checkpoint_header.ts";

/** A file that is not used, and why. */
export interface SkippedFile {
  /** Its name. */
  readonly file: string;
  /** Why, in a clause. */
  readonly reason: string;
}

/** The checkpoints of a folder that can be restored, and what else was found there. */
export interface CheckpointChain {
  /** The folder. */
  readonly folder: string;
  /** A full checkpoint and the epochs after it, without a gap; at least one file. */
  readonly files: readonly WholeFile[];
  /** The checkpoints that are not used. */
  readonly skipped: readonly SkippedFile[];
  /** Names in the folder that are not checkpoint names. */
  readonly others: readonly string[];
}

/** At most this many names are listed; the others are only counted. */
const LISTED = 3;

/**
 * Lists names in one line: the first three, and how many more there are.
 *
 * @example
 * ```ts
 * import { someOf } from "./checkpoint_chain.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(someOf(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
 * ```
 *
 * @param names At least one name.
 */
export function someOf(names: readonly string[]): string {
  const first = names.slice(0, LISTED).map((name) => printable(name)).join(", ");
  return names.length > LISTED ? `${first} and ${names.length - LISTED} more` : first;
}

/**
 * Checks the files of a folder in the order of their epochs. Each must be whole and must continue
 * the one before it. The first file that fails ends the chain; later files cannot be used without
 * it.
 *
 * @param interrupt Ends it early.
 * @throws {EndedBySignal} If a signal ended it.
 * @throws {ValueError} If there is no whole full checkpoint.
 * @throws {KernelError} If there are no file descriptors left, or no memory.
 */
export async function readChain(
  folder: string,
  interrupt?: InterruptWatch,
): Promise<CheckpointChain> {
  const { files: names, parts, others } = await listFolder(folder);
  const files: WholeFile[] = [];
  const skipped: SkippedFile[] = [];
  const last = names.keys().reduce((most, one) => Math.max(most, one), 0);
  let epoch = 0;
  using _step = interrupt?.progress?.begin({
    what: "checking checkpoint files",
    unit: "files",
    total: names.size,
    // The first is of all memory, and the others of what changed.
    isSteady: false,
    done: () => epoch,
  });
  for (; epoch <= last; epoch++) {
    const kind = epoch === 0 ? "full" : "incremental";
    const file = names.get(epoch) ?? checkpointName(epoch, kind);
    try {
      const look = interrupt === undefined ? undefined : () => goOn(interrupt);
      const whole = await checkFile(`${folder}/${file}`, look);
      checkOrder(whole.header, epoch, files.at(-1));
      files.push(whole);
    } catch (error) {
      if (!(error instanceof BrokenFile)) throw error;
      skipped.push({ file, reason: names.has(epoch) ? error.message : "missing" });
      break;
    }
  }
  const after = [...names].filter(([one]) => one > epoch).sort(([one], [other]) => one - other);
  for (const [, file] of after) skipped.push({ file, reason: "an epoch before it is not whole" });
  for (const file of parts) skipped.push({ file, reason: "it was never finished" });
  if (files.length === 0) throw noneWhole(folder, skipped[0]!, others);
  return { folder, files, skipped, others };
}

function checkOrder(header: CheckpointHeader, epoch: number, before: WholeFile | undefined): void {
  if (header.epoch !== epoch) throw new BrokenFile(`it is of epoch ${header.epoch}`);
  if ((header.kind === "full") !== (before === undefined)) {
    throw new BrokenFile(`its kind is ${header.kind}`);
  }
  if (header.previous !== (before?.digest ?? null)) {
    throw new BrokenFile("it does not continue the file before it, but another one");
  }
  if (before === undefined) return;
  const isSame = JSON.stringify(header.lab) === JSON.stringify(before.header.lab) &&
    header.slot0Bytes === before.header.slot0Bytes;
  if (!isSame) throw new BrokenFile("it is of another machine than the file before it");
}

function noneWhole(
  folder: string,
  { file, reason }: SkippedFile,
  others: readonly string[],
): ValueError {
  const beside = others.length === 0 ? "" : `, beside ${someOf(others)}`;
  return new ValueError(
    { restore: folder },
    () =>
      `restore ${printable(folder)}: no whole checkpoint in it (${printable(file)}: ` +
      `${reason}${beside}); expected a folder that dirtyring checkpoint --into wrote`,
  );
}
