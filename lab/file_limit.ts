import { ignoreSignal } from "../ffi/ignore_signal.ts";
import { SIGXFSZ } from "../ffi/linux.ts";
import { needDescriptors } from "./exhaustion.ts";

const SHELL = "/bin/sh";

let isSurvived = false;
let isListenedTo = false;

/**
 * Makes a file that may not grow any more (`ulimit -f`) an error of the write, EFBIG, as a full disk is one: without
 * it the kernel ends the process with SIGXFSZ. Where no signal can be ignored, it is listened to, and for good, since
 * Deno ends the process by itself where a signal comes whose last listener has just gone.
 */
export function surviveFileLimit(): void {
  if (isSurvived || Deno.build.os === "windows") return;
  if (!ignoreSignal(SIGXFSZ)) {
    try {
      needDescriptors(2, "the signal SIGXFSZ");
    } catch {
      return; // what is written next tells of it
    }
    Deno.addSignalListener("SIGXFSZ", () => {});
    isListenedTo = true;
  }
  isSurvived = true;
}

/**
 * How to start a program so that it survives the limit as this one does, where a shell may be started: it inherits what
 * is ignored, and not what is listened to.
 *
 * @param program The program.
 * @param args Its arguments.
 * @returns What to start instead, which becomes the program, and its arguments.
 */
export function surviving(program: string, args: readonly string[]): [string, readonly string[]] {
  // Asked first: a call without permission would put the question to a person at a terminal.
  const mayAsk = () => Deno.permissions.querySync({ name: "run", command: SHELL });
  if (!isListenedTo || mayAsk().state !== "granted") return [program, args];
  return [SHELL, ["-c", 'trap "" XFSZ; exec "$@"', "sh", program, ...args]];
}
