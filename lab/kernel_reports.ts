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
 * import { beginsReport } from "./kernel_reports.ts";
 * import { assert } from "@std/assert";
 *
 * assert(beginsReport("BUG: KASAN: slab-use-after-free in kvm_dirty_ring_push+0x40/0xa0 [kvm]"));
 * assert(!beginsReport("kvm: KVM_SET_TSS_ADDR need to be called before entering vcpu"));
 * ```
 *
 * @param line The line, without a time stamp.
 * @returns Whether it does.
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
