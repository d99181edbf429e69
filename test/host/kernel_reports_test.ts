// Which messages in a kernel's log report a problem, and which are ordinary.
import { assertEquals } from "@std/assert";
import { beginsReport, reportsIn } from "../../host/kernel_log.ts";

const HEADS = [
  "WARNING: CPU: 0 PID: 12 at virt/kvm/dirty_ring.c:236 kvm_dirty_ring_push+0x8c/0xa0 [kvm]",
  "WARNING: CPU: 1 PID: 4711 at arch/x86/kvm/../../../virt/kvm/dirty_ring.c:100 0xffffffffc0a1b2c3",
  "WARNING: virt/kvm/dirty_ring.c:236 at kvm_dirty_ring_push+0x8c/0xa0, CPU#0: deno/12",
  "WARNING: [!gfn] virt/kvm/dirty_ring.c:236 at kvm_dirty_ring_push+0x8c/0xa0 [kvm], CPU#12: a/1",
  "WARNING: at kvm_dirty_ring_push+0x8c/0xa0, CPU#0: deno/12",
  "WARNING: possible circular locking dependency detected",
  "WARNING: possible recursive locking detected",
  "WARNING: possible irq lock inversion dependency detected",
  "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected",
  "WARNING: inconsistent lock state",
  "WARNING: bad unlock balance detected!",
  "WARNING: lock held when returning to user space!",
  "WARNING: deno/12 still has locks held!",
  "WARNING: suspicious RCU usage",
  "INFO: suspicious RCU usage. ]",
  "INFO: trying to register non-static key.",
  "BUG: KASAN: slab-use-after-free in kvm_dirty_ring_reset+0x1c/0x40 [kvm]",
  "BUG: KFENCE: out-of-bounds read in kvm_dirty_ring_get+0x1/0x2",
  "BUG: KCSAN: data-race in kvm_dirty_ring_push / kvm_dirty_ring_reset",
  "BUG: KMSAN: uninit-value in kvm_vm_ioctl",
  "BUG: unable to handle page fault for address: ffffc90000a41000",
  "BUG: kernel NULL pointer dereference, address: 0000000000000008",
  "BUG: scheduling while atomic: deno/12/0x00000002",
  "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585",
  "BUG: Bad page state in process deno  pfn:12345",
  "BUG kmalloc-64 (Not tainted): Poison overwritten",
  "[ BUG: Invalid wait context ]",
  "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [deno:12]",
  "watchdog: Watchdog detected hard LOCKUP on cpu 0",
  "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
  "kernel BUG at virt/kvm/dirty_ring.c:42!",
  "UBSAN: array-index-out-of-bounds in virt/kvm/dirty_ring.c:120:9",
  "rcu: INFO: rcu_preempt self-detected stall on CPU",
  "INFO: rcu_sched detected stalls on CPUs/tasks:",
  "INFO: rcu_tasks detected stalls on tasks:",
  "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 21 jiffies s: 1 root: 0x1/.",
  "INFO: task deno:12 blocked for more than 120 seconds.",
  "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP",
  "Oops: general protection fault, maybe for address 0x0: 0000 [#1] PREEMPT SMP KASAN",
  "Oops: 0000 [#1] PREEMPT SMP NOPTI",
  "invalid opcode: 0000 [#1] SMP",
  "divide error: 0000 [#1] PREEMPT SMP",
  "traps: PANIC: double fault, error_code: 0x0",
  "Kernel panic - not syncing: Fatal exception",
  "unchecked MSR access error: WRMSR to 0xc0000104 (tried to write 0x0) at rIP: 0xffffffff81",
  "list_add corruption. prev->next should be next (ffff888), but was 0. (prev=ffff889).",
  "list_del corruption, ffff888->next is LIST_POISON1 (dead000000000100)",
  "refcount_t: underflow; use-after-free.",
];

const ORDINARY = [
  "kvm: KVM_SET_TSS_ADDR need to be called before entering vcpu",
  "kvm_amd: Nested Virtualization enabled",
  "kvm [12]: vcpu0, guest rIP: 0x45 unhandled rdmsr: 0xc0011029",
  "WARNING: workqueue cpumask: online intersect > possible intersect",
  "WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!",
  "WARNING! dirty_ring is new",
  "systemd[1]: WARNING: CPU: 0 PID: 1 at home",
  "INFO: lockdep is turned off.",
  "rcu: Hierarchical RCU implementation.",
  "rcu: \tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).",
  "watchdog: Delayed init of the lockup detector failed: -19",
  "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
  "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable",
  "random: crng init done",
  "Initialise system trusted keyrings",
  "debugfs: 12345 [#1]",
  "traps: deno[12] trap invalid opcode ip:55 sp:7f error:0 in deno[55+1]",
  "deno[12]: segfault at 8 ip 000055 sp 00007f error 4 in deno[55+1]",
  "Out of memory: Killed process 12 (deno) total-vm:1kB",
  "kernel tried to execute NX-protected page - exploit attempt? (uid: 0)",
  "------------",
  "==================================================================",
  "",
];

Deno.test("beginsReport() knows how kernels report problems", () => {
  assertEquals(HEADS.filter((line) => !beginsReport(line)), []);
  assertEquals(beginsReport("------------[ cut here ]------------"), true);
});

Deno.test("beginsReport() leaves ordinary messages alone", () => {
  assertEquals(ORDINARY.filter(beginsReport), []);
  assertEquals(reportsIn(ORDINARY), []);
});

Deno.test("only a WARN_ON() is a warning", () => {
  const warnings = HEADS.filter((line) => reportsIn([line])[0]!.isWarning);
  assertEquals(warnings, HEADS.slice(0, 5));
});

const WARN = [
  "------------[ cut here ]------------",
  HEADS[0]!,
  "Modules linked in: kvm_amd kvm ccp",
  "CPU: 0 PID: 12 Comm: deno Not tainted 6.1.0-56-amd64 #1",
  "Hardware name: QEMU Standard PC (Q35 + ICH9, 2009)",
  "RIP: 0010:kvm_dirty_ring_push+0x8c/0xa0 [kvm]",
  "Code: 48 85 c0 74 15 4c 8d 83 20 19 00 00 <0f> 0b e9 65 ff ff ff",
  "RSP: 0018:ffffd1a18043bb70 EFLAGS: 00000246",
  "RAX: 0000000000000100 RBX: ffff890483ad0000 RCX: 0000000000000100",
  "R10: 00007f3795f01000 R11: 0000000000000001 R12: 0000000000000001",
  "FS:  00007f37ad638180(0000) GS:ffff890579c00000(0000) knlGS:0000000000000000",
  "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
  "CR2: 00007f3796c00000 CR3: 0000000100950000 CR4: 00000000003506f0",
  "Call Trace:",
  " <TASK>",
  " make_spte+0x197/0x3f0 [kvm]",
  " tdp_mmu_map_handle_target_level+0x9e/0x2a0 [kvm]",
  " kvm_tdp_mmu_map+0x1a5/0x2f0 [kvm]",
  " kvm_tdp_page_fault+0xcc/0x160 [kvm]",
  " kvm_mmu_do_page_fault+0x1f4/0x230 [kvm]",
  "---[ end trace 0000000000000000 ]---",
];

Deno.test("reportsIn() keeps the first lines of each report, and nothing of what is between", () => {
  const found = reportsIn(["an ordinary message", ...WARN, "another", ...WARN, "a last one"]);
  const lines = [
    HEADS[0]!,
    "CPU: 0 PID: 12 Comm: deno Not tainted 6.1.0-56-amd64 #1",
    "RIP: 0010:kvm_dirty_ring_push+0x8c/0xa0 [kvm]",
    "Call Trace:",
    " make_spte+0x197/0x3f0 [kvm]",
    " tdp_mmu_map_handle_target_level+0x9e/0x2a0 [kvm]",
    " kvm_tdp_mmu_map+0x1a5/0x2f0 [kvm]",
    " kvm_tdp_page_fault+0xcc/0x160 [kvm]",
  ];
  assertEquals(found, [{ isWarning: true, lines }, { isWarning: true, lines }]);
});

Deno.test("reportsIn() takes what WARN() says with it", () => {
  const cut = WARN[0]!;
  assertEquals(reportsIn([cut, "slots are 4", WARN[1]!]), [
    { isWarning: true, lines: ["slots are 4", WARN[1]!] },
  ]);
  const list = HEADS.find((line) => line.startsWith("list_del"))!;
  const bug = "kernel BUG at lib/list_debug.c:59!";
  assertEquals(
    reportsIn([cut, list, bug, "invalid opcode: 0000 [#1] SMP"]).map((one) => one.lines),
    [
      [list],
      [bug, "invalid opcode: 0000 [#1] SMP"],
    ],
  );
  // Its first line alone was there when the log was read.
  assertEquals(reportsIn([cut]), [{ isWarning: false, lines: [cut] }]);
});

Deno.test("reportsIn() counts an oops once, and a report within another's trace for itself", () => {
  const oops = [
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "#PF: supervisor read access in kernel mode",
    "Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "Kernel panic - not syncing: Fatal exception",
  ];
  assertEquals(reportsIn(oops), [{ isWarning: false, lines: oops }]);
  const kasan = ["=".repeat(66), "BUG: KASAN: use-after-free in f+0x1/0x2", "Read of size 8"];
  const both = reportsIn([...WARN.slice(0, -1), ...kasan]);
  assertEquals(both.map(({ isWarning }) => isWarning), [true, false]);
  assertEquals(both[1]!.lines, kasan.slice(1));
});
