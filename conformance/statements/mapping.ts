// Checks of mmap() on a vCPU's file descriptor.
import { ERRNO, errnoName } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_ENABLE_CAP, KVM_RUN } from "../../ffi/kvm_ioctls.ts";
import { MAP_PRIVATE, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/linux.ts";
import type { Vm } from "../../kvm/vm.ts";
import { ENTRY_WORDS } from "../../ring/entry.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { API, expect, expectOneOf, expectThat, flagsOf, MAIN, SEED } from "../kit/expect.ts";
import type { Machine } from "../kit/machine.ts";
import { mapped, type MapRequest, pushPages } from "../kit/push_pages.ts";
import { skipsWithoutProcess } from "../kit/vm_stats.ts";

/** The ring's first page in the vCPU's file. */
const RING_PAGE = 64;
/**
 * A page offset of the vCPU's file with nothing behind it: `kvm_run` and its neighbours end before
 * it, the ring starts after it.
 */
const NOBODYS_PAGE = RING_PAGE - 1;

// A machine with a vCPU, and a function that maps pages of the vCPU's file.
function vcpuOf(host: CheckHost, ringBytes: number | null = host.smallest) {
  const { kernel } = host;
  const machine = host.machine({ ringBytes });
  const { fd } = machine.vcpus[0]!;
  const map = (request: Omit<MapRequest, "fd">, look?: (address: number) => void) =>
    mapped(kernel, { fd, ...request }, look);
  return { kernel, machine, map, ringPages: (ringBytes ?? 0) / PAGE_SIZE };
}

// Probes a page without touching it in this process: the kernel copies an ioctl's struct from
// there. The answer is EFAULT where the page cannot be read. Otherwise it is EINVAL, because the
// struct names no valid capability.
function touch(vm: Vm, address: number): string {
  const answer = vm.ioctl(KVM_ENABLE_CAP, address);
  return answer === 0 ? "0" : errnoName(-answer);
}

const READABLE = "EINVAL";
const SIGBUS = "EFAULT";

// The words of an entry, read through another mapping. `index` counts from that mapping's start.
function entryAt(kernel: Kernel, address: number, index: number): number[] {
  const bytes = kernel.view(address, PAGE_SIZE);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 4);
  return [...words.subarray(index * ENTRY_WORDS, (index + 1) * ENTRY_WORDS)];
}

/** The statements of "Mapping the ring". */
export const MAPPING_CHECKS: readonly Check[] = [
  {
    id: "mmap.offset",
    statement: "the ring is mapped from the vCPU's fd at page 64, as long as its bytes",
    source: API,
    where: "live",
    run(host) {
      const { kernel, machine, map, ringPages } = vcpuOf(host);
      const ring = { page: RING_PAGE, pages: ringPages };
      const answer = map(ring, (address) => {
        const last = address + (ringPages - 1) * PAGE_SIZE;
        expect("the ring's first page", touch(machine.vm, address), READABLE);
        expect("the ring's last page", touch(machine.vm, last), READABLE);
        pushPages(machine, [5]);
        expect("the entry of page 5", entryAt(kernel, address, 0), [1, 1, 5, 0]);
      });
      expect("mmap of the vCPU's fd", answer, "mapped");
      const before = map({ page: NOBODYS_PAGE, pages: 1 }, (address) => {
        expect("the page before the ring", touch(machine.vm, address), SIGBUS);
      });
      expect("mmap of the page before the ring", before, "mapped");
      for (const [name, { fd }] of [["VM", machine.vm], ["/dev/kvm", host.system]] as const) {
        expect(`mmap of the ${name} fd`, mapped(kernel, { fd, ...ring }), "ENODEV");
      }
    },
  },
  {
    id: "mmap.private",
    statement: "a private mapping whose first or last page lies in the ring is EINVAL",
    source: SEED,
    where: "live",
    run(host) {
      const { map, ringPages } = vcpuOf(host, host.smallest * 2);
      const end = RING_PAGE + ringPages;
      const cases = [
        ["the whole ring", RING_PAGE, ringPages, "EINVAL"],
        ["its first page", RING_PAGE, 1, "EINVAL"],
        ["its last page", end - 1, 1, "EINVAL"],
        ["up to its first page", NOBODYS_PAGE, 2, "EINVAL"],
        ["from its last page on", end - 1, 2, "EINVAL"],
        ["the page before it", NOBODYS_PAGE, 1, "mapped"],
        ["the page after it", end, 1, "mapped"],
        ["from before it to behind it", NOBODYS_PAGE, ringPages + 2, "mapped"],
      ] as const;
      for (const [name, page, pages, expected] of cases) {
        expect(`MAP_PRIVATE, ${name}`, map({ page, pages, flags: MAP_PRIVATE }), expected);
      }
      expect("MAP_SHARED, the whole ring", map({ page: RING_PAGE, pages: ringPages }), "mapped");
    },
  },
  {
    id: "mmap.exec",
    statement: "an executable mapping of the ring is EINVAL, or EPERM where its file is no-exec",
    source: `${SEED}; EPERM from v6.16 on`,
    where: "live",
    run(host) {
      const { map, ringPages } = vcpuOf(host);
      const ring = { page: RING_PAGE, pages: ringPages };
      const answer = map({ ...ring, protection: PROT_READ | PROT_WRITE | PROT_EXEC });
      expectOneOf("mmap with PROT_EXEC", answer, ["EINVAL", "EPERM"]);
      expect("mmap without", map(ring), "mapped");
      return `the answer is ${answer}`;
    },
  },
  {
    id: "mmap.read-only",
    statement: "a shared mapping for reading alone is allowed",
    source: SEED,
    where: "live",
    run(host) {
      const { kernel, machine, map, ringPages } = vcpuOf(host);
      const answer = map(
        { page: RING_PAGE, pages: ringPages, protection: PROT_READ },
        (address) => {
          pushPages(machine, [9]);
          expect("an entry read there", entryAt(kernel, address, 0), [1, 1, 9, 0]);
        },
      );
      expect("mmap with PROT_READ", answer, "mapped");
    },
  },
  {
    id: "mmap.partial",
    statement: "a part of the ring can be mapped: it shows the entries that lie there",
    source: SEED,
    where: "live",
    run(host) {
      const { kernel, machine, map } = vcpuOf(host, host.smallest * 2);
      const perPage = PAGE_SIZE / (ENTRY_WORDS * 4);
      fillPage(machine, perPage);
      const answer = map({ page: RING_PAGE + 1, pages: 1 }, (address) => {
        const { flags, slot, offset } = machine.entry(0, perPage);
        expect("the whole mapping's first entry of the second page", [flags, slot], [1, 1]);
        expect("the same in the part", entryAt(kernel, address, 0), [1, 1, offset, 0]);
        machine.setFlags(0, perPage, 3);
        expect("harvested in the whole", entryAt(kernel, address, 0), [3, 1, offset, 0]);
      });
      expect("mmap of the ring's second page", answer, "mapped");
    },
  },
  {
    id: "mmap.too-long",
    statement: "a mapping may reach past the ring, where touching it is SIGBUS",
    source: SEED,
    where: "live",
    run(host) {
      const { machine, map, ringPages } = vcpuOf(host);
      const answer = map({ page: RING_PAGE, pages: ringPages + 1 }, (address) => {
        for (let page = 0; page < ringPages; page++) {
          const seen = touch(machine.vm, address + page * PAGE_SIZE);
          expect(`the ring's page ${page}`, seen, READABLE);
        }
        const past = touch(machine.vm, address + ringPages * PAGE_SIZE);
        expect("the page past the ring", past, SIGBUS);
      });
      expect("mmap of a page more than the ring has", answer, "mapped");
    },
  },
  {
    id: "mmap.ring-off",
    statement: "with the ring off, page 64 can be mapped and touching it is SIGBUS",
    source: SEED,
    where: "live",
    run(host) {
      const { machine, map } = vcpuOf(host, null);
      const answer = map({ page: RING_PAGE, pages: 1 }, (address) => {
        expect("page 64", touch(machine.vm, address), SIGBUS);
      });
      expect("mmap of page 64", answer, "mapped");
      const run = map({ page: 0, pages: 1 }, (address) => {
        expect("kvm_run, page 0", touch(machine.vm, address), READABLE);
      });
      expect("mmap of page 0", run, "mapped");
    },
  },
  {
    id: "mmap.size-excluded",
    statement: "KVM_GET_VCPU_MMAP_SIZE does not count the ring",
    source: MAIN,
    where: "live",
    run(host) {
      const before = host.system.vcpuMmapSize();
      host.machine({ ringBytes: host.largest });
      expect("bytes beside a VM with the largest ring", host.system.vcpuMmapSize(), before);
      const ends = before >= PAGE_SIZE && before <= RING_PAGE * PAGE_SIZE;
      expectThat("bytes to map", ends, "a page at least, and an end before page 64", before);
    },
  },
  {
    id: "mmap.other-process",
    statement:
      "another process may map a ring whose vCPU's fd it was handed; its ioctls answer EIO",
    source: MAIN,
    where: "live",
    run(host) {
      const { kernel, machine } = vcpuOf(host);
      const { fd } = machine.vcpus[0]!;
      pushPages(machine, [5, 6]);
      const answers = skipsWithoutProcess(() => [
        kernel.storeElsewhere(fd, RING_PAGE, 3),
        kernel.ioctlElsewhere(fd, KVM_RUN),
      ]);
      expect("mmap of the ring, and KVM_RUN, in another process", answers, [0, -ERRNO.EIO]);
      expect("flags here, the first as stored there", flagsOf(machine, 3), [3, 1, 0]);
      expect("entries reset", machine.reset(), 1);
      expect("entries left", machine.held(0).map(({ offset }) => offset), [6]);
    },
  },
];

// Pushes one entry more than a page of the ring holds, in one run: the order does not matter.
function fillPage(machine: Machine, perPage: number): void {
  const gfns = Array.from({ length: perPage + 1 }, (_, page) => machine.gfn + page);
  expect("exit after the stores", machine.store(0, gfns), machine.guest.exit);
}
