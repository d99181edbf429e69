import type { Watcher } from "../checks/conformance.ts";
import { checkResultNdjson } from "../report/check_ndjson.ts";
import { checkHeadText, checkResultText } from "../report/check_text.ts";

/** Prints a part of a result; answers whether somebody still reads. */
export type Print = (chunks: Iterable<string>) => boolean;

/**
 * Shows checks to a person as they end.
 *
 * @param print Prints a part of the result.
 * @param ids The ids of all that are to come.
 * @param isGrouped Whether they come by groups.
 * @returns What is told of them.
 */
export function textProgress(print: Print, ids: readonly string[], isGrouped: boolean): Watcher {
  const width = Math.max(...ids.map((id) => id.length));
  let group: string | null = null;
  return {
    begin: (kernel, log) => print(checkHeadText(kernel, log)),
    result(result) {
      const isHead = isGrouped && result.group !== group;
      group = result.group;
      return print(checkResultText(result, width, isHead));
    },
  };
}

/**
 * Hands checks to a program as they end.
 *
 * @param print Prints a part of the result.
 * @returns What is told of them.
 */
export function ndjsonProgress(print: Print): Watcher {
  return { begin: () => true, result: (result) => print(checkResultNdjson(result)) };
}

/** Shows nothing before the end. */
export const NO_PROGRESS: Watcher = { begin: () => true, result: () => true };
