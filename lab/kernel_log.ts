import { ERRNO, errnoText } from "../ffi/errno.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY, SEEK_END } from "../ffi/linux.ts";
import { type KernelReport, reportsIn } from "./kernel_reports.ts";

/** How far the kernel's log was looked at: stands in a result. */
export interface KernelLogFacts {
  /** Whether it could be read. */
  readonly read: boolean;
  /** Why it could not; `null` where it was. */
  readonly why: string | null;
  /** Records that the kernel overwrote before they were read; at least so many. */
  readonly lost: number;
}

/** What a result of a run says of the kernel's log meanwhile. */
export interface KernelLogResult extends KernelLogFacts {
  /** The first lines of each report of a problem. */
  readonly reports: readonly (readonly string[])[];
}

/** A result with what the kernel reported while it came about; `null` for a model, which has no log. */
export type Watched<Result> = Result & { readonly kernelLog: KernelLogResult | null };

const PATH = "/dev/kmsg";
/** The longest record: `PRINTK_MESSAGE_MAX` and its dictionary. */
const RECORD_BYTES = 8192;
/** Records read at a time: a kernel that logs without end must not hold its reader. */
const MOST_RECORDS = 20_000;

/**
 * What the kernel says of itself while something is asked of it: the problems that it reports in its log, from the
 * making of this object on. `Documentation/ABI/testing/dev-kmsg` has the format of its records.
 */
export class KernelLog implements Disposable {
  readonly #kernel: Kernel;
  readonly #buffer = new Uint8Array(RECORD_BYTES);
  readonly #fd: number | null = null;
  readonly #why: string | null = null;
  #lost = 0;
  /** The number of the next record; `null` before the first. */
  #next: number | null = null;
  #waiting: string[] = [];

  /**
   * Begins to look: what is in the log already is passed over.
   *
   * @param kernel The kernel that answers.
   */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const fd = kernel.open(PATH, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      this.#why = `open(${PATH}): ${errnoText(-fd)}`;
      return;
    }
    this.#fd = fd;
    const end = kernel.lseek(fd, 0, SEEK_END);
    // In containers it may be another file, which has an end.
    this.#why = end < 0
      ? `lseek(${PATH}): ${errnoText(-end)}`
      : this.#readRecords() === 0
      ? `${PATH} is not the kernel's log`
      : null;
  }

  /** How far it was looked at; `null` for a model that has none. */
  get facts(): KernelLogFacts | null {
    if (this.#fd === null && this.#kernel.backend === "model") return null;
    return { read: this.#why === null, why: this.#why, lost: this.#lost };
  }

  /**
   * Takes what the kernel reported since it was last asked.
   *
   * @returns The reports, none where the log cannot be read.
   */
  take(): KernelReport[] {
    if (this.#why === null) this.#readRecords();
    const reports = reportsIn(this.#waiting);
    this.#waiting = [];
    return reports;
  }

  // Up to the last record; answers what the last read did.
  #readRecords(): number {
    for (let n = 0; n < MOST_RECORDS; n++) {
      const got = this.#kernel.read(this.#fd!, this.#buffer);
      if (got > 0) this.#add(new TextDecoder().decode(this.#buffer.subarray(0, got)));
      else if (got === -ERRNO.EPIPE) this.#lose();
      else if (got !== -ERRNO.EINTR) return got;
    }
    return -ERRNO.EAGAIN;
  }

  // The oldest ones were overwritten: the next record tells how many, where it is known what came before.
  #lose(): void {
    if (this.#next === null) this.#lost++;
  }

  // "prefix,sequence,...;text", and lines of a dictionary that begin with a space.
  #add(record: string): void {
    const at = record.indexOf(";");
    const sequence = Number(record.split(",", 2)[1]);
    if (at < 0 || !Number.isSafeInteger(sequence)) return;
    if (this.#next !== null && sequence > this.#next) this.#lost += sequence - this.#next;
    this.#next = sequence + 1;
    const [text = ""] = record.slice(at + 1).split("\n", 1);
    // The kernel writes what it does not print as \xNN, the ends of lines within a record, too.
    this.#waiting.push(...text.split("\\x0a"));
  }

  /** Closes the log. */
  [Symbol.dispose](): void {
    if (this.#fd !== null) this.#kernel.close(this.#fd);
  }
}
