// KVM's tracepoints: counted and read through perf_event_open(2), and the errors where that is not
// possible.
import { assertEquals, assertThrows } from "@std/assert";
import { ERRNO, HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_SET_SIGNAL_MASK } from "../../ffi/kvm_ioctls.ts";
import { kvm_run } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE, SIGUSR1 } from "../../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../../ffi/process.ts";
import { Mapping } from "../../kvm/mapping.ts";
import { BlockedSignal } from "../../kvm/run_ticks.ts";
import { TraceSamples } from "../../kvm/trace_samples.ts";
import { parseTraceFormat, THIS_THREAD, traceFormat, Tracepoint } from "../../kvm/tracepoint.ts";
import { makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { SOFT_LIMIT } from "../support/live.ts";
import { tracedTest } from "../support/tracing.ts";

const LONG = { guest: "long64", memory: 8 << 20 } as const;
const FIELDS = ["index", "dirty_index", "reset_index"] as const;
const WALK = "kvm_dirty_ring_reset";

const FORMAT = `name: kvm_dirty_ring_push
ID: 30
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int index;\toffset:8;\tsize:4;\tsigned:1;
\tfield:u64 offset;\toffset:24;\tsize:8;\tsigned:0;
\tfield:char name[16];\toffset:32;\tsize:16;\tsigned:0;
\tfield:__data_loc char[] text;\toffset:48;\tsize:4;\tsigned:0;

print fmt: "ring %d: offset 0x%llx", REC->index, REC->offset
`;

Deno.test("parseTraceFormat() finds the number, and every field of the payload", () => {
  const { name, id, fields } = parseTraceFormat("kvm_dirty_ring_push", FORMAT, "format");
  assertEquals([name, id], ["kvm_dirty_ring_push", 30]);
  assertEquals([...fields.keys()], [
    ...["common_type", "common_pid", "index", "offset", "name", "text"],
  ]);
  assertEquals(fields.get("index"), { offset: 8, size: 4, signed: true });
  assertEquals(fields.get("offset"), { offset: 24, size: 8, signed: false });
});

Deno.test("parseTraceFormat() refuses what is no such file", () => {
  assertThrows(
    () => parseTraceFormat("x", "name: x\n", "/x"),
    HostError,
    '/x: no line "ID: NUMBER"',
  );
});

// What the host may answer where tracepoints cannot be used, and what is said then.
const TRACEFS = "/sys/kernel/tracing";
const PUSH = `${TRACEFS}/events/kvm/kvm_dirty_ring_push/format`;
const OPENED = "perf_event_open(kvm:kvm_dirty_ring_push, this thread): ";

/** A kernel with a tracefs of its own, some of whose files answer an errno. */
function tracefs(missing: RegExp, errno: number, perf: Partial<Kernel> = {}): Kernel {
  const FILE = 77;
  let isRead = false;
  return {
    ...LIBC,
    open: (path) => missing.test(path) ? -errno : FILE,
    read(_fd, into) {
      if (isRead) return 0;
      isRead = true;
      return new TextEncoder().encodeInto(FORMAT, into).written;
    },
    close: () => 0,
    ...perf,
  };
}
const ALL = /tracing/;
const refusing = (errno: number) => tracefs(/^none$/, 0, { perfEventOpen: () => -errno });

const MISSING: readonly (readonly [string, Kernel, string])[] = [
  [
    "tracefs is not mounted",
    tracefs(ALL, ERRNO.ENOENT),
    `tracefs is not mounted: there is no ${TRACEFS}/events; mount it as root (mount -t tracefs ` +
    `tracefs ${TRACEFS})`,
  ],
  [
    "the kernel has no such tracepoint",
    tracefs(/events\/kvm/, ERRNO.ENOENT),
    `open(${PUSH}): ENOENT (no such file or directory); load KVM, or boot Linux 5.11 or newer`,
  ],
  [
    "tracefs may not be read",
    tracefs(ALL, ERRNO.EACCES),
    `open(${PUSH}): EACCES (permission denied); run as root, or let this user read tracefs`,
  ],
  [
    "perf events are for root",
    refusing(ERRNO.EACCES),
    `${OPENED}EACCES (permission denied); run as root, or with CAP_PERFMON`,
  ],
  [
    "a sandbox refuses the call",
    refusing(ERRNO.EPERM),
    `${OPENED}EPERM (operation not permitted); run as root; in a container or sandbox, let it call`,
  ],
  [
    "there is no such call",
    refusing(ERRNO.ENOSYS),
    `${OPENED}ENOSYS (function not implemented); boot a kernel with CONFIG_PERF_EVENTS`,
  ],
];
for (const [name, kernel, message] of MISSING) {
  Deno.test(`Tracepoint.open() says what is missing, and what to do, when ${name}`, () => {
    const open = () => Tracepoint.open(kernel, "kvm_dirty_ring_push", THIS_THREAD);
    assertThrows(open, HostError, message);
  });
}

Deno.test("Tracepoint.open() passes on what says nothing about the host", () => {
  const open = (kernel: Kernel) => Tracepoint.open(kernel, "kvm_dirty_ring_push", 12);
  assertThrows(() => open(tracefs(ALL, ERRNO.EMFILE)), KernelError, `open(${PUSH}): EMFILE`);
  const noThread = "perf_event_open(kvm:kvm_dirty_ring_push, thread 12): ESRCH";
  assertThrows(() => open(refusing(ERRNO.ESRCH)), KernelError, noThread);
});

Deno.test("traceFormat() looks at the older place of tracefs, too", () => {
  const kernel = tracefs(/^\/sys\/kernel\/tracing/, ERRNO.ENOENT);
  assertEquals(traceFormat(kernel, "kvm_dirty_ring_push").id, 30);
});

tracedTest("a Tracepoint counts every push of its thread, and no more", () => {
  using before = Tracepoint.open(LIBC, "kvm_dirty_ring_push", THIS_THREAD);
  using lab = makeLab({ ...LONG, vcpus: 2, pages: 150 });
  using exits = Tracepoint.open(LIBC, "kvm_dirty_ring_exit", THIS_THREAD);
  const counts = [];
  for (const [id, { vcpu, first, stores }] of lab.vcpus.entries()) {
    lab.begin(id, first, stores);
    vcpu.run();
    counts.push([before.count, lab.tracker.rings[id]!.harvester.held]);
  }
  assertEquals([counts, exits.count], [[[75, 75], [150, 75]], 0]);
});

tracedTest("a Tracepoint with a filter counts one ring of a thread that runs two", () => {
  const open = (filter: string) =>
    Tracepoint.open(LIBC, "kvm_dirty_ring_push", THIS_THREAD, { filter });
  using one = open("index == 1");
  using late = open("dirty_index > 100 && index == 0");
  using lab = makeLab({ ...LONG, vcpus: 2, pages: 250 });
  for (const [id, { vcpu, first, stores }] of lab.vcpus.entries()) {
    lab.begin(id, first, id === 0 ? stores : 40);
    vcpu.run();
  }
  assertEquals([one.count, late.count], [40, 25]);
});

tracedTest("Tracepoint.open() closes what it opened when the filter is none", () => {
  const closed: number[] = [];
  const close = (fd: number) => {
    closed.push(fd);
    return LIBC.close(fd);
  };
  const filter = "no_such_field == 1";
  assertThrows(
    () => Tracepoint.open({ ...LIBC, close }, WALK, THIS_THREAD, { filter }),
    KernelError,
    `PERF_EVENT_IOC_SET_FILTER(kvm:${WALK}, ${filter}): EINVAL`,
  );
  assertEquals(closed.length, 2); // the format file, and the event
});

tracedTest("kvm_dirty_ring_exit counts the KVM_RUN calls that a full ring ends, no others", () => {
  using exits = Tracepoint.open(LIBC, "kvm_dirty_ring_exit", THIS_THREAD);
  using lab = makeLab({ ...LONG, pages: 3 * SOFT_LIMIT });
  const { vcpu } = lab.vcpus[0]!;
  const { harvester } = lab.tracker.rings[0]!;
  using page = Mapping.shared(LIBC, vcpu.fd, 0, PAGE_SIZE, "kvm_run");
  vcpu.ioctl(KVM_SET_SIGNAL_MASK, kvmSignalMask(signalSet()));
  lab.begin(0, 0, 3 * SOFT_LIMIT);
  const run = () => [vcpu.run(), vcpu.exitReason, exits.count];
  assertEquals(run(), [0, 31, 1]);
  assertEquals(run(), [0, 31, 2], "refused again");
  harvester.take();
  assertEquals(run(), [0, 31, 3], "harvested is not reset");
  page.bytes[kvm_run.at.immediate_exit] = 1;
  assertEquals(run(), [-ERRNO.EINTR, 31, 3], "immediate_exit comes first, and leaves exit_reason");
  page.bytes[kvm_run.at.immediate_exit] = 0;
  using signal = new BlockedSignal(LIBC, SIGUSR1);
  signal.raise();
  assertEquals(run(), [0, 31, 4], "a full ring comes before a signal");
  signal.take();
  lab.vm.resetDirtyRings();
  assertEquals(run(), [0, 31, 5], "full once more");
});

tracedTest("TraceSamples tells of every ring that a reset walks, an empty one too", () => {
  using lab = makeLab({ ...LONG, vcpus: 3, pages: 90 });
  using walks = new TraceSamples(LIBC, WALK, FIELDS);
  lab.vm.resetDirtyRings();
  assertEquals(walks.take(), { samples: [], lost: 0 }, "it waits to be enabled");
  lab.begin(1, lab.vcpus[1]!.first, 30);
  lab.vcpus[1]!.vcpu.run();
  lab.tracker.rings[1]!.harvester.take(10);
  walks.enable();
  lab.vm.resetDirtyRings();
  walks.disable();
  lab.vm.resetDirtyRings();
  const ring = (index: number, dirty_index: number, reset_index: number) => ({
    index,
    dirty_index,
    reset_index,
  });
  assertEquals(walks.take().samples, [ring(0, 0, 0), ring(1, 30, 10), ring(2, 0, 0)]);
});

tracedTest("TraceSamples goes on past the end of its buffer, again and again", () => {
  using lab = makeLab({ ...LONG, pages: SOFT_LIMIT - 2 });
  using pushes = new TraceSamples(LIBC, "kvm_dirty_ring_push", ["dirty_index", "offset"], 1);
  pushes.enable();
  const seen: number[] = [];
  const offsets: number[] = [];
  for (let n = 0; n < SOFT_LIMIT - 2; n += 10) {
    lab.begin(0, n, 10); // 10 events of 48 bytes: a page holds no whole number of them
    lab.vcpus[0]!.vcpu.run();
    const { samples, lost } = pushes.take();
    assertEquals([samples.length, lost], [10, 0]);
    seen.push(...samples.map(({ dirty_index }) => dirty_index));
    offsets.push(...samples.map(({ offset }) => offset));
  }
  assertEquals(seen, seen.map((_, n) => n + 1));
  assertEquals(offsets, offsets.map((_, n) => n));
});

tracedTest("TraceSamples counts the events that find no room, once each", () => {
  using lab = makeLab(LONG);
  using walks = new TraceSamples(LIBC, WALK, FIELDS, 1);
  walks.enable();
  const take = (resets: number) => {
    for (let n = 0; n < resets; n++) lab.vm.resetDirtyRings();
    const { samples, lost } = walks.take();
    return [samples.length + lost, lost > 0];
  };
  // After a loss the kernel's own record of it stands before the next event.
  assertEquals([take(300), take(0), take(5), take(300), take(100)], [
    ...[[300, true], [0, false], [5, false], [300, true], [100, false]],
  ]);
});

tracedTest("TraceSamples refuses a field that the tracepoint does not have", () => {
  assertThrows(
    () => new TraceSamples(LIBC, WALK, ["index", "used"]),
    HostError,
    `kvm:${WALK} has no field used, but common_type, `,
  );
});
