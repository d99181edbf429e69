// Checks of capabilities, sizes and limits of the ring. Most of them run the table of
// `kit/enabling_cases.ts`.
import { ERRNO, errnoName } from "../../ffi/errors.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../../ffi/kvm_constants.ts";
import { KVM_CREATE_VCPU } from "../../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { Mapping } from "../../kvm/mapping.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import {
  enablingCases,
  runEnablingCase,
  SMALLEST,
  SMALLEST_WITH_PML,
} from "../kit/enabling_cases.ts";
import { getDirtyLog } from "../kit/exclusive.ts";
import {
  API,
  ascending,
  CheckFailure,
  CheckSkip,
  expect,
  expectThat,
  MAIN,
  SEED,
  X86,
} from "../kit/expect.ts";
import { storePages } from "../kit/push_pages.ts";

/** KVM_DIRTY_RING_RSVD_ENTRIES, and the entries of a PML buffer, which KVM reserves as well. */
const RESERVED = 64;
const PML_BUFFER = 512;

// A check that runs all cases of its id in the table, up to the first that fails.
function tabled(id: string, source: string, statement: string): Check {
  return { id, statement, source, where: "live", run: (host) => runCases(host, id) };
}

function runCases(host: CheckHost, id: string): void {
  const facts = {
    largest: host.largest,
    smallest: host.pml ? SMALLEST_WITH_PML : SMALLEST,
    acquireRelease: id === "cap.acq-rel" ? documentedAcquireRelease(host) : host.acquireRelease,
  };
  for (const question of enablingCases(facts).filter((one) => one.id === id)) {
    const { ok, name, before, request, expected, errno, result } = runEnablingCase(
      host.system,
      host.largest,
      question,
    );
    if (!ok) {
      throw new CheckFailure(`${name}, ${before}: ${request}`, expected, errno ?? `${result}`);
    }
  }
}

// The capability must be there from v6.1 on. Distributions backport it to older kernels; the model
// does not.
function documentedAcquireRelease(host: CheckHost): boolean {
  return host.since("6.1") || (host.kernel.insight === null && host.acquireRelease);
}

/** The statements of "Discovering and enabling". */
export const ENABLING_CHECKS: readonly Check[] = [
  tabled("cap.max-bytes", SEED, "the ring's capability reports the largest ring in bytes: 1048576"),
  tabled(
    "cap.acq-rel",
    API,
    "the acquire/release capability exists from v6.1, with the same value",
  ),
  tabled(
    "cap.with-bitmap",
    `${MAIN}, v6.2 and later`,
    "a bitmap beside the ring is not for x86: the capability is 0, enabling it EINVAL",
  ),
  tabled("enable.on-vm-fd", MAIN, "the ring is enabled on a VM; the /dev/kvm fd answers EINVAL"),
  tabled("enable.bytes", API, "the size that is enabled counts bytes, not entries"),
  tabled("enable.power-of-two", SEED, "a size of 0, or no power of two, is EINVAL"),
  tabled("enable.too-small", SEED, "a size below a page, or below the reserved entries, is EINVAL"),
  tabled("enable.too-big", SEED, "a power of two above the maximum is E2BIG"),
  tabled("enable.u32", MAIN, "of the size only the low 32 bits are looked at"),
  tabled("enable.once", SEED, "a second enable, through either capability, is EINVAL"),
  tabled(
    "enable.before-vcpus",
    SEED,
    "once a vCPU was made, be it closed again, enabling is EINVAL",
  ),
  tabled(
    "enable.size-first",
    MAIN,
    "the size is judged before the rules of order: E2BIG goes first",
  ),
  tabled("enable.flags-ignored", MAIN, "the flags of the request are not looked at"),
  tabled("enable.slots-may-exist", MAIN, "memory slots may exist before the ring is enabled"),
  {
    id: "enable.slot-logged-before",
    statement:
      "a slot that was logged before uses the ring from then on; its bitmap stays out of reach",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine({ ringAfterSlot: true });
      const bitmap = host.use(Mapping.anonymous(host.kernel, PAGE_SIZE, "dirty bitmap"));
      const pages = [3, 700];
      for (const round of ["fresh", "reset"]) {
        storePages(machine, pages);
        expect(`${round} pages in the ring`, ascending(machine.dirty(0)), pages);
        const log = answerText(getDirtyLog(machine, bitmap));
        expect("KVM_GET_DIRTY_LOG", log, errnoName(ERRNO.ENXIO));
        expect("entries harvested", machine.harvest(0), pages.length);
        expect("entries reset", machine.reset(), pages.length);
      }
      const set = host.kernel.insight?.bitmap(machine.vm.fd, 1);
      if (set !== undefined) expect("pages in the slot's bitmap", set, []);
    },
  },
  {
    id: "enable.alloc-in-create-vcpu",
    statement: "the ring is allocated when its vCPU is made, which may answer ENOMEM",
    source: SEED,
    where: "model",
    run(host) {
      const { insight } = host;
      const vm = host.use(host.system.createVm());
      insight.failNextAllocation();
      expect(
        "KVM_ENABLE_CAP, no allocation",
        vm.enableCap(KVM_CAP_DIRTY_LOG_RING, host.smallest),
        0,
      );
      const answer = vm.ioctl(KVM_CREATE_VCPU, 0);
      expect("KVM_CREATE_VCPU without memory", answerText(answer), errnoName(ERRNO.ENOMEM));
      const vcpu = host.use(vm.createVcpu(0, host.system.vcpuMmapSize()));
      const ring = host.use(vcpu.mapDirtyRing(host.smallest));
      expect("entries of the second try's ring", ring.words.length / 4, host.entries);
    },
  },
  {
    id: "limit.reserved",
    statement: "a ring is full at its entries less 64 reserved ones, less 512 more with PML",
    source: `${SEED}; ${X86}`,
    where: "live",
    run(host) {
      // Two sizes show that the reserve is a fixed number of entries, not a fraction of the ring.
      for (const ringBytes of [host.smallest, host.smallest * 2]) expectReserve(host, ringBytes);
    },
  },
  {
    id: "limit.pml-minimum",
    statement: "with PML, 4096 and 8192 bytes are EINVAL and 16384 are the least",
    source: `${SEED}; ${X86}`,
    where: "live",
    run(host) {
      if (!host.pml) throw new CheckSkip("needs a processor with PML");
      runCases(host, "limit.pml-minimum");
      expect("bytes of the smallest ring", host.smallest, SMALLEST_WITH_PML);
    },
  },
];

function expectReserve(host: CheckHost, ringBytes: number): void {
  const entries = ringBytes / 16;
  const softLimit = entries - RESERVED - (host.pml ? PML_BUFFER : 0);
  const machine = host.machine({ ringBytes, pages: 2 * entries });
  const what = `a ring of ${entries} entries`;
  const gfns = Array.from({ length: 2 * entries }, (_, page) => machine.gfn + page);
  const below = host.pml ? 0 : softLimit - 1;
  expect(
    `${what}, exit below the limit`,
    machine.store(0, gfns.slice(0, below)),
    machine.guest.exit,
  );
  const exit = machine.store(0, gfns.slice(below));
  expect(`${what}, exit at the limit`, exit, "KVM_EXIT_DIRTY_RING_FULL");
  const used = machine.dirty(0).length;
  if (!host.pml) return expect(`${what}, entries when full`, used, softLimit);
  // After the last guest entry below the limit, KVM may push a whole PML buffer, and then a page
  // that faulted.
  const most = softLimit + PML_BUFFER;
  const holds = used >= softLimit && used <= most;
  expectThat(`${what}, entries when full`, holds, `${softLimit} to ${most}`, used);
}

function answerText(answer: number): string {
  return answer < 0 ? errnoName(-answer) : `${answer}`;
}
