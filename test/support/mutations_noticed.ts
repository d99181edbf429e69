// Which checks notice each wrong kernel of mutations.ts: exactly these.
/** The checks that fail on a wrong kernel, by its name, in the order of docs/abi.md. */
export const NOTICED: Readonly<Record<string, readonly string[]>> = {
  "half the largest ring": ["cap.max-bytes"],
  "no acquire/release capability": ["cap.acq-rel"],
  "a bitmap beside the ring": ["cap.with-bitmap"],
  "enabling on /dev/kvm": ["enable.on-vm-fd"],
  "sizes count entries": (
    "enable.bytes enable.too-small limit.reserved mmap.offset mmap.private " +
    "mmap.partial mmap.too-long entry.wrap push.before-store " +
    "push.once-more-after-full push.prefault harvest.while-running " +
    "harvest.cleared-wedges reset.flushes-running full.exit full.sticky " +
    "full.one-reset-one-push full.others-run full.beats-signal " +
    "full.prefault-overflow slot.rewritten-order coalesce.live-witness"
  ).split(" "),
  "sizes that are no power of two": ["enable.power-of-two"],
  "rings of 2048 bytes": ["enable.too-small"],
  "EINVAL for what is too big": ["enable.too-big", "enable.size-first"],
  "all 64 bits of a size": ["enable.u32"],
  "a second enable": ["enable.once"],
  "enabling beside a vCPU": ["enable.before-vcpus"],
  "the vCPU rule before the size": ["enable.size-first"],
  "flags are looked at": ["enable.flags-ignored"],
  "no enabling beside a slot": [
    "enable.slots-may-exist",
    "enable.slot-logged-before",
    "push.no-running-vcpu",
  ],
  "a slot logged before keeps to its bitmap": ["enable.slot-logged-before"],
  "rings that never fail to be allocated": ["enable.alloc-in-create-vcpu"],
  "63 reserved entries": [
    "limit.reserved",
    "push.before-store",
    "push.once-more-after-full",
    "full.exit",
    "full.one-reset-one-push",
  ],
  "small rings with PML": ["limit.pml-minimum"],
  "the ring at page 65": (
    "enable.slot-logged-before enable.alloc-in-create-vcpu limit.reserved " +
    "mmap.offset mmap.private mmap.exec mmap.read-only mmap.partial mmap.too-long " +
    "mmap.size-excluded mmap.other-process entry.layout entry.states " +
    "entry.slot-encoding entry.reset-bit-only entry.stale-after-reset " +
    "entry.publish-order entry.offset-31-bits entry.wrap entry.private-indices " +
    "push.logged-slots-only push.host-writes push.own-ring push.once-until-reset " +
    "push.again-after-reset push.before-store push.read-may-push " +
    "push.once-more-after-full push.no-running-vcpu push.prefault push.vcpu-ioctl " +
    "push.4k harvest.in-order harvest.while-running harvest.gap-stops " +
    "harvest.gap-filled harvest.cleared-wedges reset.number reset.ring-off " +
    "reset.count reset.other-process reset.one-flush reset.flushes-running " +
    "reset.before-read reset.closed-vcpu reset.signal reset.signal-lost-batch " +
    "reset.int-max reset.concurrent exclusive.get-dirty-log exclusive.manual-protect " +
    "full.exit full.sticky full.one-reset-one-push full.others-run full.beats-signal " +
    "full.overflow full.prefault-overflow slot.gone slot.batch-dropped " +
    "slot.entries-survive slot.log-off slot.reread slot.rewritten-order " +
    "slot.wraparound slot.moved slot.read-only coalesce.start coalesce.forward " +
    "coalesce.duplicate coalesce.backward coalesce.flush coalesce.calls-v6.17 " +
    "coalesce.live-witness"
  ).split(" "),
  "private mappings": ["mmap.private"],
  "mappings for execution": ["mmap.exec"],
  "no read-only mapping": ["mmap.read-only"],
  "no mapping of a part": ["mmap.partial"],
  "no mapping beyond the ring": [
    "limit.reserved",
    "mmap.private",
    "mmap.partial",
    "mmap.too-long",
    "mmap.size-excluded",
    "reset.signal",
    "reset.signal-lost-batch",
    "reset.concurrent",
  ],
  "memory at page 64 with the ring off": ["mmap.ring-off"],
  "the ring in the mapping's size": (
    "enable.before-vcpus enable.size-first enable.slot-logged-before " +
    "enable.alloc-in-create-vcpu limit.reserved mmap.offset mmap.private mmap.exec " +
    "mmap.read-only mmap.partial mmap.too-long mmap.ring-off mmap.size-excluded " +
    "mmap.other-process entry.layout entry.states entry.slot-encoding " +
    "entry.reset-bit-only entry.stale-after-reset entry.publish-order " +
    "entry.offset-31-bits entry.wrap entry.private-indices push.logged-slots-only " +
    "push.host-writes push.own-ring push.once-until-reset push.again-after-reset " +
    "push.before-store push.read-may-push push.once-more-after-full " +
    "push.no-running-vcpu push.prefault push.vcpu-ioctl push.4k harvest.in-order " +
    "harvest.while-running harvest.gap-stops harvest.gap-filled " +
    "harvest.cleared-wedges reset.number reset.ring-off reset.count " +
    "reset.other-process reset.one-flush reset.flushes-running reset.before-read " +
    "reset.closed-vcpu reset.signal reset.signal-lost-batch reset.int-max " +
    "reset.concurrent exclusive.get-dirty-log exclusive.manual-protect full.exit " +
    "full.sticky full.one-reset-one-push full.others-run full.beats-signal " +
    "full.overflow full.prefault-overflow slot.gone slot.batch-dropped " +
    "slot.entries-survive slot.log-off slot.reread slot.rewritten-order " +
    "slot.wraparound slot.moved slot.read-only coalesce.start coalesce.forward " +
    "coalesce.duplicate coalesce.backward coalesce.flush coalesce.calls-v6.17 " +
    "coalesce.live-witness"
  ).split(" "),
  "no mapping in another process": ["mmap.other-process"],
  "offsets of more than 31 bits": (
    "enable.slot-logged-before mmap.offset mmap.read-only mmap.partial " +
    "mmap.other-process entry.layout entry.slot-encoding entry.stale-after-reset " +
    "entry.offset-31-bits entry.wrap entry.private-indices push.logged-slots-only " +
    "push.host-writes push.own-ring push.once-until-reset push.again-after-reset " +
    "push.before-store push.read-may-push push.once-more-after-full " +
    "push.no-running-vcpu push.prefault push.vcpu-ioctl push.4k harvest.in-order " +
    "harvest.while-running reset.number reset.flushes-running reset.before-read " +
    "reset.closed-vcpu reset.signal-lost-batch reset.int-max reset.concurrent " +
    "exclusive.manual-protect full.one-reset-one-push full.others-run " +
    "full.prefault-overflow slot.gone slot.batch-dropped slot.entries-survive " +
    "slot.log-off slot.reread slot.rewritten-order slot.wraparound slot.moved " +
    "coalesce.live-witness"
  ).split(" "),
  "entries pushed as harvested": (
    "enable.slot-logged-before limit.reserved mmap.offset mmap.read-only " +
    "mmap.partial mmap.other-process entry.layout entry.states " +
    "entry.stale-after-reset entry.wrap entry.private-indices push.logged-slots-only " +
    "push.host-writes push.own-ring push.once-until-reset push.again-after-reset " +
    "push.before-store push.read-may-push push.once-more-after-full " +
    "push.no-running-vcpu push.prefault push.vcpu-ioctl push.4k harvest.in-order " +
    "harvest.while-running harvest.gap-stops harvest.gap-filled " +
    "harvest.cleared-wedges reset.number reset.count reset.other-process " +
    "reset.one-flush reset.flushes-running reset.before-read reset.closed-vcpu " +
    "reset.signal reset.signal-lost-batch reset.int-max reset.concurrent " +
    "exclusive.manual-protect full.exit full.sticky full.one-reset-one-push " +
    "full.others-run full.beats-signal slot.gone slot.batch-dropped " +
    "slot.entries-survive slot.log-off slot.reread slot.rewritten-order " +
    "slot.wraparound slot.moved slot.read-only coalesce.start coalesce.forward " +
    "coalesce.duplicate coalesce.backward coalesce.flush coalesce.calls-v6.17 " +
    "coalesce.live-witness"
  ).split(" "),
  "the slot's id one off": (
    "enable.slot-logged-before mmap.offset mmap.read-only mmap.partial entry.layout " +
    "entry.slot-encoding entry.stale-after-reset entry.private-indices " +
    "push.logged-slots-only push.once-until-reset push.again-after-reset " +
    "push.once-more-after-full push.no-running-vcpu push.prefault push.4k " +
    "reset.number reset.flushes-running reset.before-read reset.closed-vcpu " +
    "reset.signal-lost-batch reset.int-max reset.concurrent exclusive.manual-protect " +
    "slot.gone slot.batch-dropped slot.entries-survive slot.log-off slot.reread " +
    "slot.rewritten-order slot.wraparound slot.moved slot.read-only " +
    "coalesce.live-witness"
  ).split(" "),
  "both bits needed for a reset": ["entry.reset-bit-only"],
  "entries wiped by the reset": (
    "entry.stale-after-reset reset.signal-lost-batch slot.gone slot.batch-dropped " +
    "slot.entries-survive slot.log-off slot.reread slot.rewritten-order slot.wraparound " +
    "coalesce.live-witness"
  ).split(" "),
  "flags published first": ["entry.publish-order"],
  "slots of 2^31 pages": ["entry.offset-31-bits"],
  "a ring that skips its last entry": [
    "entry.wrap",
    "push.once-more-after-full",
    "harvest.while-running",
    "full.prefault-overflow",
    "slot.rewritten-order",
    "coalesce.live-witness",
  ],
  "an index in the mapping": [
    "entry.wrap",
    "entry.private-indices",
    "push.once-more-after-full",
    "harvest.while-running",
    "full.prefault-overflow",
    "coalesce.live-witness",
  ],
  "every slot is logged": [
    "push.logged-slots-only",
    "push.4k",
    "exclusive.manual-protect",
    "slot.log-off",
  ],
  "the program's stores are logged": (
    "reset.flushes-running coalesce.live-witness"
  ).split(" "),
  "one ring for all vCPUs": (
    "push.own-ring push.again-after-reset push.no-running-vcpu push.vcpu-ioctl " +
    "harvest.cleared-wedges reset.count reset.closed-vcpu reset.int-max reset.concurrent " +
    "full.others-run full.beats-signal coalesce.flush"
  ).split(" "),
  "every push twice": (
    "enable.slot-logged-before limit.reserved mmap.partial mmap.other-process entry.layout " +
    "entry.slot-encoding entry.stale-after-reset entry.publish-order entry.wrap " +
    "entry.private-indices push.logged-slots-only push.host-writes push.own-ring " +
    "push.once-until-reset push.again-after-reset push.before-store push.read-may-push " +
    "push.once-more-after-full push.no-running-vcpu push.prefault push.4k harvest.in-order " +
    "harvest.cleared-wedges reset.number reset.count reset.other-process reset.one-flush " +
    "reset.before-read reset.closed-vcpu reset.signal reset.signal-lost-batch reset.int-max " +
    "reset.concurrent exclusive.manual-protect full.exit full.sticky " +
    "full.one-reset-one-push full.others-run full.overflow full.prefault-overflow slot.gone " +
    "slot.batch-dropped slot.entries-survive slot.log-off slot.reread slot.rewritten-order " +
    "slot.wraparound slot.moved slot.read-only coalesce.start coalesce.forward " +
    "coalesce.duplicate coalesce.backward coalesce.flush coalesce.calls-v6.17 " +
    "coalesce.live-witness"
  ).split(" "),
  "nothing is re-protected": (
    "enable.slot-logged-before push.once-until-reset push.again-after-reset " +
    "push.once-more-after-full push.no-running-vcpu push.prefault push.4k " +
    "reset.number reset.flushes-running reset.before-read reset.closed-vcpu " +
    "reset.signal-lost-batch reset.int-max reset.concurrent slot.gone " +
    "slot.batch-dropped slot.reread slot.rewritten-order slot.wraparound slot.moved " +
    "coalesce.start coalesce.forward coalesce.duplicate coalesce.backward " +
    "coalesce.flush coalesce.calls-v6.17 coalesce.live-witness"
  ).split(" "),
  "emulated stores push once": ["push.emulated-writes-repeat"],
  "the store before the push": ["push.before-store", "push.read-may-push"],
  "loads that change memory": ["push.before-store", "push.read-may-push"],
  "no warning outside a vCPU": ["push.no-running-vcpu"],
  "pre-faulting leaves the last page out": ["push.prefault"],
  "a vCPU's ioctl writes unseen": ["push.vcpu-ioctl"],
  "huge pages are pushed whole": ["push.4k"],
  "a processor's buffer that is read backwards": ["push.pml-order"],
  "a fault before the processor's buffer": ["push.pml-before-fault"],
  "a reset of whole rings alone": [
    "mmap.other-process",
    "harvest.in-order",
    "harvest.gap-stops",
    "harvest.gap-filled",
    "reset.count",
    "full.one-reset-one-push",
    "slot.entries-survive",
    "slot.moved",
  ],
  "a reset one short": (
    "enable.slot-logged-before mmap.other-process entry.states entry.reset-bit-only " +
    "entry.stale-after-reset entry.wrap entry.private-indices push.host-writes " +
    "push.once-until-reset push.again-after-reset push.before-store " +
    "push.once-more-after-full push.no-running-vcpu push.prefault push.vcpu-ioctl " +
    "push.4k harvest.in-order harvest.while-running harvest.gap-stops " +
    "harvest.gap-filled harvest.cleared-wedges reset.number reset.ring-off " +
    "reset.count reset.other-process reset.one-flush reset.flushes-running " +
    "reset.before-read reset.closed-vcpu reset.signal reset.signal-lost-batch " +
    "reset.int-max reset.concurrent full.sticky full.one-reset-one-push slot.gone " +
    "slot.batch-dropped slot.entries-survive slot.log-off slot.reread " +
    "slot.rewritten-order slot.wraparound slot.moved coalesce.start coalesce.forward " +
    "coalesce.duplicate coalesce.backward coalesce.flush coalesce.calls-v6.17 " +
    "coalesce.live-witness"
  ).split(" "),
  "a processor's buffer that is off": ["harvest.kick-flushes"],
  "gaps are passed over": (
    "mmap.other-process entry.states harvest.in-order harvest.gap-stops harvest.gap-filled " +
    "reset.count reset.one-flush full.one-reset-one-push slot.entries-survive slot.moved"
  ).split(" "),
  "what lies behind a gap is forgotten": [
    "entry.reset-bit-only",
    "harvest.gap-stops",
    "harvest.gap-filled",
    "harvest.cleared-wedges",
    "reset.signal",
    "reset.signal-lost-batch",
    "reset.int-max",
  ],
  "cleared entries are passed over": ["harvest.cleared-wedges"],
  "the reset's argument is looked at": ["reset.number"],
  "0 with the ring off": ["reset.ring-off"],
  "any process may reset": ["mmap.other-process", "reset.other-process"],
  "a flush for every reset": ["reset.one-flush"],
  "a running vCPU keeps its translations": ["reset.flushes-running"],
  "closed vCPUs are passed over": (
    "push.again-after-reset harvest.cleared-wedges reset.count reset.one-flush " +
    "reset.closed-vcpu reset.int-max reset.concurrent coalesce.flush coalesce.calls-v6.17"
  ).split(" "),
  "EINTR for a signal": ["reset.signal", "reset.signal-lost-batch"],
  "every tenth batch is lost": (
    "reset.flushes-running reset.signal-lost-batch reset.concurrent " +
    "slot.rewritten-order coalesce.flush coalesce.live-witness"
  ).split(" "),
  "no maximum for a reset": ["reset.int-max"],
  "large counts of other rings are cut": ["reset.concurrent"],
  "a log beside the ring": ["enable.slot-logged-before", "exclusive.get-dirty-log"],
  "manual protection is refused": ["exclusive.manual-protect"],
  "no vCPU is ever full": (
    "limit.reserved push.before-store push.once-more-after-full harvest.cleared-wedges " +
    "full.exit full.sticky full.one-reset-one-push full.others-run full.beats-signal"
  ).split(" "),
  "a signal before a full ring": ["full.beats-signal"],
  "a full ring stops the others": [
    "harvest.cleared-wedges",
    "full.others-run",
    "full.beats-signal",
  ],
  "an overflow stores nothing and counts on": ["full.overflow", "full.prefault-overflow"],
  "pre-faulting stops at a full ring and says that it did not": ["full.prefault-overflow"],
  "a moved slot is not protected any more": ["slot.moved"],
  "a store to a read-only slot is pushed": ["slot.read-only"],
  "guest_memfd slots that are logged": ["slot.gmem-no-log"],
  "entries without a slot are not counted": [
    "slot.gone",
    "slot.entries-survive",
    "coalesce.flush",
    "coalesce.calls-v6.17",
  ],
  "a batch loses its last page alone": ["slot.batch-dropped", "coalesce.live-witness"],
  "a deleted slot takes its entries along": ["slot.gone", "slot.entries-survive"],
  "logging off is ignored": ["slot.log-off"],
  "what was pushed counts, not what is read again": (
    "slot.gone slot.batch-dropped slot.reread slot.rewritten-order slot.wraparound " +
    "coalesce.start coalesce.forward coalesce.duplicate coalesce.backward coalesce.flush " +
    "coalesce.calls-v6.17 coalesce.live-witness"
  ).split(" "),
  "the bound wraps": ["slot.wraparound"],
  "a window of 63 pages": [
    "slot.wraparound",
    "coalesce.forward",
    "coalesce.backward",
    "coalesce.flush",
    "coalesce.live-witness",
  ],
  "a batch begins with an empty mask": [
    "coalesce.start",
    "coalesce.forward",
    "coalesce.duplicate",
    "coalesce.backward",
    "coalesce.flush",
    "coalesce.calls-v6.17",
  ],
  "an empty first call": ["coalesce.calls-v6.17"],
  "no empty first call, v5.11": ["coalesce.calls-v5.11"],
  "no empty first call, v6.10": ["coalesce.calls-v6.10"],
};
