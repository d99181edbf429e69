import { ERRNO, errnoText } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY, SEEK_END } from "../ffi/linux.ts";

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

  /** Begins to look: what is in the log already is passed over. */
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

/** A report of a problem in the kernel's log. */
export interface KernelReport {
  /** Whether it is a WARN_ON(): what a statement that makes the kernel warn expects. */
  readonly isWarning: boolean;
  /** Its first lines, without those that tell nothing of what happened. */
  readonly lines: readonly string[];
}

/** Lines kept of a report: what it is, where, by whom, and the first calls; the rest is in the log. */
const KEPT_LINES = 8;

/** Lines that tell nothing of what happened: modules, machine, code bytes, registers, marks. */
const NOISE =
  /^(Modules linked in:|Hardware name:|Code: |R(?!IP)[A-Z0-9]{2}: |FS: |CS: |CR2: |DR\d: |PKRU: |=+$| *<\/?(TASK|IRQ)>$)/;

/** How WARN_ON() and WARN() begin: `kernel/panic.c`, up to v6.18 and from v6.19 on. */
const WARNING = [
  /^WARNING: CPU: \d+ PID: \d+ at /,
  /^WARNING: (.* )?at \S+\+0x[0-9a-f]+\/0x[0-9a-f]+.*, CPU#\d+: /,
];

/** How other reports of a problem begin. An ordinary message that has a WARNING of its own is none. */
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
  // KASAN, KFENCE, KCSAN, KMSAN; page faults; sleeping, scheduling and locking where one may not.
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
  // Structures that are broken: lib/list_debug.c, lib/refcount.c.
  /^list_(add|del|add_valid|del_entry_valid)? ?corruption/,
  /^refcount_t: .*(underflow|overflow|saturated|use-after-free|addition on 0|leaking memory)/,
];

/** The fault that a BUG or an oops goes on with, in lines of the same report. */
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
 * The reports of problems among lines of the kernel's log.
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

  /** Whether a line that could begin another goes on with this one. */
  takes(line: string): boolean {
    // What WARN() says, and what list_debug.c does, stands between the cut and the head.
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
