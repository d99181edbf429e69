// Reports of problems in the kernel's log: warnings, oopses and what debugging options print.
import { ERRNO, errnoText } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY, SEEK_END } from "../ffi/linux.ts";

/** Whether and how completely the kernel's log was read. Results show it. */
export interface KernelLogFacts {
  /** Whether the log could be read. */
  readonly read: boolean;
  /** Why the log could not be read; `null` if it was. */
  readonly why: string | null;
  /** At least this many records were overwritten by the kernel before they were read. */
  readonly lost: number;
}

/** What the kernel logged during a run. */
export interface KernelLogResult extends KernelLogFacts {
  /** The first lines of each report of a problem. */
  readonly reports: readonly (readonly string[])[];
}

/** A result, with what the kernel logged meanwhile; `null` for a model, which has no log. */
export type Watched<Result> = Result & { readonly kernelLog: KernelLogResult | null };

const PATH = "/dev/kmsg";
/** Room for the longest record: `PRINTK_MESSAGE_MAX` and a dictionary. */
const RECORD_BYTES = 8192;
/**
 * The most records read at a time: a kernel that logs without end must not block the reader for
 * ever.
 */
const MOST_RECORDS = 20_000;

/**
 * Collects the problems that the kernel reports in its log, from the creation of this object on.
 * For the format of the records see `Documentation/ABI/testing/dev-kmsg`.
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

  /** Opens the log, and skips what it already holds. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const fd = kernel.open(PATH, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      this.#why = `open(${PATH}): ${errnoText(-fd)}`;
      return;
    }
    this.#fd = fd;
    const end = kernel.lseek(fd, 0, SEEK_END);
    // In a container /dev/kmsg may be another file, which has an end.
    this.#why = end < 0
      ? `lseek(${PATH}): ${errnoText(-end)}`
      : this.#readRecords() === 0
      ? `${PATH} is not the kernel's log`
      : null;
  }

  /** Whether and how completely the log was read; `null` for a model without a log. */
  get facts(): KernelLogFacts | null {
    if (this.#fd === null && this.#kernel.backend === "model") return null;
    return { read: this.#why === null, why: this.#why, lost: this.#lost };
  }

  /**
   * Takes the reports since the last call.
   *
   * @returns The reports; none if the log cannot be read.
   */
  take(): KernelReport[] {
    if (this.#why === null) this.#readRecords();
    const reports = reportsIn(this.#waiting);
    this.#waiting = [];
    return reports;
  }

  // Reads up to the last record, and returns the answer of the last read.
  #readRecords(): number {
    for (let n = 0; n < MOST_RECORDS; n++) {
      const got = this.#kernel.read(this.#fd!, this.#buffer);
      if (got > 0) this.#add(new TextDecoder().decode(this.#buffer.subarray(0, got)));
      else if (got === -ERRNO.EPIPE) this.#lose();
      else if (got !== -ERRNO.EINTR) return got;
    }
    return -ERRNO.EAGAIN;
  }

  // The oldest records were overwritten. The next record's number tells how many, unless none was
  // read before.
  #lose(): void {
    if (this.#next === null) this.#lost++;
  }

  // A record is "prefix,sequence,...;text", followed by dictionary lines that begin with a space.
  #add(record: string): void {
    const at = record.indexOf(";");
    const sequence = Number(record.split(",", 2)[1]);
    if (at < 0 || !Number.isSafeInteger(sequence)) return;
    if (this.#next !== null && sequence > this.#next) this.#lost += sequence - this.#next;
    this.#next = sequence + 1;
    const [text = ""] = record.slice(at + 1).split("\n", 1);
    // The kernel escapes unprintable bytes as \xNN, including line ends within a record.
    this.#waiting.push(...text.split("\\x0a"));
  }

  /** Closes the log. */
  [Symbol.dispose](): void {
    if (this.#fd !== null) this.#kernel.close(this.#fd);
  }
}

/** A report of a problem in the kernel's log. */
export interface KernelReport {
  /** Whether it is a WARN_ON(), which a conformance statement may expect. */
  readonly isWarning: boolean;
  /** Its first lines, without those that do not help to identify the problem. */
  readonly lines: readonly string[];
}

/**
 * Lines kept of a report: its kind, place and process, and the first calls. The log has the others.
 */
const KEPT_LINES = 8;

/**
 * Lines that do not help to identify the problem: modules, machine, code bytes, registers, marks.
 */
const NOISE =
  /^(Modules linked in:|Hardware name:|Code: |R(?!IP)[A-Z0-9]{2}: |FS: |CS: |CR2: |DR\d: |PKRU: |=+$| *<\/?(TASK|IRQ)>$)/;

/** The first lines of WARN_ON() and WARN() (`kernel/panic.c`): up to v6.18, and from v6.19 on. */
const WARNING = [
  /^WARNING: CPU: \d+ PID: \d+ at /,
  /^WARNING: (.* )?at \S+\+0x[0-9a-f]+\/0x[0-9a-f]+.*, CPU#\d+: /,
];

/**
 * The first lines of other reports. An ordinary message that only contains the word WARNING is not
 * one.
 */
const PROBLEMS: readonly RegExp[] = [
  // lockdep and RCU's checks: kernel/locking/lockdep.c, kernel/rcu/update.c.
  /^WARNING: possible .* detected/,
  /^WARNING: \S+ -> \S+ lock order detected/,
  /^WARNING: (inconsistent lock state|Nested lock was not taken|held lock freed!)/,
  /^WARNING: bad (unlock balance|contention) detected!/,
  /^WARNING: (lock held when returning to user space!|\S+ still has locks held!)/,
  /^(WARNING|INFO): suspicious RCU usage/,
  /^WARNING: (kernel stack (regs|frame pointer)|stack recursion|stack going) /,
  /^INFO: trying to register non-static key/,
  // KASAN, KFENCE, KCSAN, KMSAN; page faults; sleeping, scheduling and locking where it is not
  // allowed.
  /^(watchdog: |NMI watchdog: )?BUG: /,
  /^\[ BUG: /,
  /^BUG [\w:-]+ \(/, // SLUB
  /^kernel BUG at /,
  /^UBSAN: /,
  // Stalls and hangs.
  /^(rcu: )?INFO: rcu\w* .*\bstalls?\b/,
  /^INFO: task \S+ blocked for more than /,
  /^(NMI )?watchdog: (Watchdog detected )?hard LOCKUP/i,
  // Oopses: arch/x86/kernel/dumpstack.c, traps.c; "name: error code [#count]" up to v6.9.
  /^(traps: )?(Oops|general protection fault|double fault|PANIC: double fault)\b/,
  /^[a-z][a-z0-9 ]*: [0-9a-f]{4} \[#\d+\]/,
  /^Kernel panic - not syncing/,
  /^unchecked MSR access error: /,
  // Corrupted structures: lib/list_debug.c, lib/refcount.c.
  /^list_(add|del|add_valid|del_entry_valid)? ?corruption/,
  /^refcount_t: .*(underflow|overflow|saturated|use-after-free|addition on 0|leaking memory)/,
];

/** Lines that continue a report of a BUG or an oops, though they could begin one. */
const GOES_ON = [
  /^(Oops|general protection fault)\b/,
  /^[a-z][a-z0-9 ]*: [0-9a-f]{4} \[#\d+\]/,
  /^Kernel panic - not syncing/,
];

const CUT_HERE = /^-+\[ cut here \]-+$/;
const END = /^-+\[ end (trace|Kernel panic)\b/;

const matches = (patterns: readonly RegExp[], line: string) =>
  patterns.some((pattern) => pattern.test(line));

/**
 * Whether a line begins a report of a problem.
 *
 * @example
 * ```ts
 * import { beginsReport } from "./kernel_log.ts";
 * import { assert } from "@std/assert";
 *
 * assert(beginsReport("BUG: KASAN: slab-use-after-free in kvm_dirty_ring_push+0x40/0xa0 [kvm]"));
 * assert(!beginsReport("kvm: KVM_SET_TSS_ADDR need to be called before entering vcpu"));
 * ```
 *
 * @param line The line, without a time stamp.
 */
export function beginsReport(line: string): boolean {
  return CUT_HERE.test(line) || matches(WARNING, line) || matches(PROBLEMS, line);
}

/**
 * Finds the reports of problems in lines of the kernel's log.
 *
 * @param lines The lines, in their order, without time stamps.
 * @returns Each report's first lines.
 */
export function reportsIn(lines: Iterable<string>): KernelReport[] {
  const reports: Report[] = [];
  let open: Report | null = null;
  for (const line of lines) {
    const isHead = matches(WARNING, line) || matches(PROBLEMS, line);
    if (CUT_HERE.test(line) || (isHead && !open?.takes(line))) reports.push(open = new Report());
    open?.add(line, isHead);
    if (END.test(line)) open = null;
  }
  return reports.map((one) => one.report);
}

class Report {
  readonly #lines: string[] = [];
  #cut: string | null = null;
  #head: string | null = null;

  /** Whether a line that could begin a report continues this one. */
  takes(line: string): boolean {
    // Messages of WARN() and of list_debug.c come between the "cut here" line and the head.
    return this.#head === null || matches(GOES_ON, line);
  }

  add(line: string, isHead: boolean): void {
    if (isHead) this.#head ??= line;
    if (CUT_HERE.test(line)) this.#cut = line;
    else if (!NOISE.test(line) && this.#lines.length < KEPT_LINES) this.#lines.push(line);
  }

  get report(): KernelReport {
    const { length } = this.#lines;
    const isWarning = this.#head !== null && matches(WARNING, this.#head);
    return { isWarning, lines: length === 0 && this.#cut !== null ? [this.#cut] : this.#lines };
  }
}
