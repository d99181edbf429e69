// Checks of an entry's layout, flags and encoding, and of the ring's indices.
import { checked, errnoName } from "../../ffi/errors.ts";
import { KVM_CAP_MULTI_ADDRESS_SPACE, KVM_CAP_X86_SMM } from "../../ffi/kvm_constants.ts";
import { KVM_SET_USER_MEMORY_REGION, KVM_SMI } from "../../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { memoryRegionStruct } from "../../kvm/vm.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { API, expect, expectThat, flagsOf, MAIN, RING } from "../kit/expect.ts";
import type { Machine, RingEntry } from "../kit/machine.ts";
import { pushPages } from "../kit/push_pages.ts";

// Slot and offset of an entry.
const named = ({ slot, offset }: RingEntry) => [slot, offset];
const answerText = (answer: number) => answer < 0 ? errnoName(-answer) : `${answer}`;

/** The statements of "An entry and its states". */
export const ENTRY_CHECKS: readonly Check[] = [
  {
    id: "entry.layout",
    statement: "an entry is u32 flags, u32 slot and u64 offset: 16 bytes",
    source: API,
    where: "live",
    run(host) {
      const machine = host.machine({ pages: 0 });
      const slot = 0x123;
      const pages = [0x35, 0x246, 0x1];
      expect("slot 0x123", machine.setSlot(slot, { gfn: machine.gfn, pages: 1024 }), 0);
      pushPages(machine, pages);
      const { buffer, byteOffset } = machine.rings[0]!.words;
      const bytes = new DataView(buffer, byteOffset);
      pages.forEach((page, n) => {
        const at = n * kvm_dirty_gfn.size;
        expect(`u32 at byte ${at}, flags`, bytes.getUint32(at, true), 1);
        expect(`u32 at byte ${at + 4}, slot`, bytes.getUint32(at + 4, true), slot);
        expect(`u64 at byte ${at + 8}, offset`, bytes.getBigUint64(at + 8, true), page);
      });
    },
  },
  {
    id: "entry.states",
    statement: "an entry goes from 0 to dirty by KVM, harvested by the program, 0 by the reset",
    source: API,
    where: "live",
    run(host) {
      const machine = host.machine();
      expect("flags at first", machine.entry(0, 0).flags, 0);
      pushPages(machine, [4]);
      expect("flags after a store", machine.entry(0, 0).flags, 1);
      expect("reset of a dirty entry", machine.reset(), 0);
      expect("its flags", machine.entry(0, 0).flags, 1);
      machine.setFlags(0, 0, 3);
      expect("reset of a harvested entry", machine.reset(), 1);
      expect("its flags", machine.entry(0, 0).flags, 0);
    },
  },
  {
    id: "entry.slot-encoding",
    statement: "slot is address space << 16 | slot id, and offset counts from the slot's base",
    source: API,
    where: "live",
    run(host) {
      const machine = host.machine({ pages: 0 });
      const slots = [
        { slot: 300, gfn: 0x2000, pages: 64, hostPage: 64 },
        { slot: 1, gfn: 0x3456, pages: 64, hostPage: 128 },
        { slot: 7, gfn: 0x1000, pages: 64 },
      ];
      for (const { slot, ...place } of slots) {
        expect(`slot ${slot}`, machine.setSlot(slot, place), 0);
      }
      for (const [n, { slot, gfn }] of slots.entries()) {
        machine.store(0, [gfn + 63]);
        expect(`the last page of slot ${slot}`, named(machine.entry(0, 2 * n)), [slot, 63]);
        machine.store(0, [gfn]);
        expect(`the first page of slot ${slot}`, named(machine.entry(0, 2 * n + 1)), [slot, 0]);
      }
      return addressSpaces(host, machine);
    },
  },
  {
    id: "entry.reset-bit-only",
    statement: "KVM looks at bit 1 of the flags alone: 2 and 3 both count as harvested",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const others = 0xffff_fffd; // every bit but that one
      pushPages(machine, [0, 1, 2, 3, 4]);
      [2, 3, 0xffff_fffe, others, 3].forEach((flags, n) => machine.setFlags(0, n, flags));
      expect("reset", machine.reset(), 3);
      expect("flags afterwards", flagsOf(machine, 5), [0, 0, 0, others, 3]);
    },
  },
  {
    id: "entry.stale-after-reset",
    statement: "a reset clears flags, and leaves slot and offset as they were",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const pages = [11, 7, 900];
      pushPages(machine, pages);
      expect("harvested", machine.harvest(0), 3);
      expect("reset", machine.reset(), 3);
      expect("flags afterwards", flagsOf(machine, 4), [0, 0, 0, 0]);
      pages.forEach((page, n) => {
        expect(`what entry ${n} still names`, named(machine.entry(0, n)), [1, page]);
      });
    },
  },
  {
    id: "entry.publish-order",
    statement: "slot and offset are written before flags, which make the entry seen",
    source: API,
    where: "model",
    run(host) {
      const { insight } = host;
      const machine = host.machine();
      const pages = [3, 8, 5];
      // Values that differ from what a push writes.
      for (let n = 0; n < pages.length; n++) machine.forge(0, n, 0xaaaa, 0xbbbb);
      const seen: { step: string; entry: RingEntry }[] = [];
      insight.watchPushes((step, _, index) => seen.push({ step, entry: machine.entry(0, index) }));
      try {
        pushPages(machine, pages);
      } finally {
        insight.watchPushes(null);
      }
      const published = seen.filter(({ step }) => step === "flags");
      expect("pushes", published.map(({ entry }) => entry.index), [0, 1, 2]);
      for (const [n, { entry }] of published.entries()) {
        expect(`entry ${n} when its flags are written`, [entry.flags, ...named(entry)], [
          1,
          1,
          pages[n]!,
        ]);
      }
      const early = seen.filter(({ step }) => step !== "flags");
      expect("steps before the flags", early.length, 2 * pages.length);
      for (const { step, entry } of early) {
        expect(`flags of entry ${entry.index} when its ${step} is written`, entry.flags, 0);
      }
    },
  },
  {
    id: "entry.offset-31-bits",
    statement: "a slot has at most 2^31 − 1 pages, so that an offset fits 31 bits",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine();
      // Both slots overlap slot 1, so that KVM refuses them: it would allocate tens of gigabytes
      // for each. It checks the size before the overlap.
      const over = (pages: number) =>
        answerText(machine.vm.ioctl(
          KVM_SET_USER_MEMORY_REGION,
          memoryRegionStruct({
            slot: 2,
            flags: 0,
            guestPhysAddr: machine.gfn * PAGE_SIZE,
            memorySize: pages * PAGE_SIZE,
            userspaceAddr: 2 ** 32, // low, so that the range ends in user space
          }),
        ));
      expect("a slot of 2^31 pages", over(2 ** 31), "EINVAL");
      expect("a slot of 2^31 − 1 pages, over another", over(2 ** 31 - 1), "EEXIST");
      machine.forge(0, 0, 0, 0x1234_0000_0000);
      pushPages(machine, [1023]);
      expect("words of a genuine offset", [...machine.rings[0]!.words.subarray(2, 4)], [1023, 0]);
    },
  },
  {
    id: "entry.wrap",
    statement: "the ring wraps at its size without a seam, and its indices run free",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine({ pages: 4096 });
      const { entries } = host;
      const round = Math.floor(host.softLimit / 2); // the ring wraps within a round
      let total = 0;
      for (; total < 2.5 * entries; total += round) {
        // Use fresh pages each time, so that no page depends on its re-protection.
        const pages = Array.from({ length: round }, (_, n) => total + n);
        const exit = machine.store(0, pages.map((page) => machine.gfn + page));
        expect(`exit after entry ${total + round}`, exit, machine.guest.exit);
        const first = `entries from position ${total % entries} on`;
        expect(first, machine.dirty(0).sort((a, b) => a - b), pages);
        expect(`${first}, and no others`, machine.held(0).length, round);
        expect("harvested", machine.harvest(0), round);
        expect("reset", machine.reset(), round);
      }
      expectIndices(host, machine, total);
    },
  },
  {
    id: "entry.private-indices",
    statement: "KVM's own indices are not in the mapping: it holds entries and nothing else",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      const { words } = machine.rings[0]!;
      const beyond = (count: number) => words.subarray(count * 4).findIndex((word) => word !== 0);
      expect("a word in a fresh ring that is not 0", beyond(0), -1);
      pushPages(machine, [6, 2, 4]);
      expect("a word past the entries that is not 0", beyond(3), -1);
      machine.harvest(0);
      expect("reset", machine.reset(), 3);
      expect("a word past the entries that is not 0", beyond(3), -1);
      expectIndices(host, machine, 3);
      // Overwrite everything but the flags, which stay 0: KVM reads nothing else of such an entry.
      for (let n = 0; n < host.entries; n++) machine.forge(0, n, 0x77, 0x77_0000_0077);
      expectIndices(host, machine, 3);
      pushPages(machine, [9]);
      expect("where the next push goes", machine.held(0).map(({ index }) => index), [3]);
      machine.harvest(0);
      expect("reset", machine.reset(), 1);
      expectIndices(host, machine, 4);
    },
  },
];

// On the model: checks both of KVM's indices, once everything is reset.
function expectIndices(host: CheckHost, machine: Machine, total: number): void {
  const { insight } = host.kernel;
  if (insight === null) return;
  const ring = insight.ring(machine.vcpus[0]!.fd);
  expect("dirty_index and reset_index", [ring?.dirtyIndex ?? -1, ring?.resetIndex ?? -1], [
    total,
    total,
  ]);
}

// Checks that the number of address spaces limits the upper half of a slot word. Only a guest in
// SMM stores to the second address space.
function addressSpaces(host: CheckHost, machine: Machine): string {
  const spaces = Math.max(host.system.checkExtension(KVM_CAP_MULTI_ADDRESS_SPACE), 1);
  const place = { gfn: 0x8000, pages: 16 };
  for (let space = 0; space <= spaces; space++) {
    const expected = space < spaces ? "0" : "EINVAL";
    const answer = answerText(machine.setSlot(space << 16 | 9, place));
    expect(`slot ${space} << 16 | 9 with ${spaces} address spaces`, answer, expected);
  }
  expectThat("address spaces", spaces <= 2, "1 or 2 on x86", spaces);
  const seen = spaces > 1 && pushesInSmm(host)
    ? "both address spaces"
    : `address space 0 of ${spaces}`;
  return `pushes seen in ${seen}`;
}

/** The address space that a guest in system-management mode (SMM) sees. */
const SPACE = 1;
/**
 * A logged slot in that address space. A slot with the same id and place is in the other address
 * space, too.
 */
const LOGGED = { gfn: 0x8000, pages: 16, hostPage: 64 } as const;
const LOGGED_ID = 9;
const LOGGED_SLOT = SPACE << 16 | LOGGED_ID;
/** The page stored to. */
const PAGE = 11;
/**
 * The slot for a vCPU's SMM code and state: the upper half of the 64 KiB at 0x30000. Execution
 * starts at its beginning, and the saved state lies at its end.
 */
const STATE = { slot: SPACE << 16 | 3, gfn: 0x38, pages: 8, hostPage: 0, flags: 0 } as const;
const BEGIN = 0x8000n; // rip: cs begins at 0x30000

const ADDRESS = (LOGGED.gfn + PAGE) * PAGE_SIZE;
/**
 * mov dword [ADDRESS], 0x11223344 with 32-bit address and operand, in 16-bit code; out 0x10, al.
 */
const CODE = Uint8Array.of(
  ...[0x67, 0x66, 0xc7, 0x05],
  ...new Uint8Array(Uint32Array.of(ADDRESS, 0x1122_3344).buffer),
  ...[0xe6, 0x10],
);

// Returns the entries in the ring, then harvests and resets them.
function taken(machine: Machine): number[][] {
  const held = machine.held(0).map(({ slot, offset }) => [slot, offset]);
  expect("entries harvested", machine.harvest(0), held.length);
  expect("entries reset", machine.reset(), held.length);
  return held;
}

/**
 * Checks that a store in SMM is pushed with its address space, and once more after a reset.
 *
 * @returns Whether the kernel has SMM; nothing is done where it does not.
 * @throws {CheckFailure} Where another entry is pushed, or none.
 */
function pushesInSmm(host: CheckHost): boolean {
  if (host.system.checkExtension(KVM_CAP_X86_SMM) === 0) return false;
  const machine = host.machine({ pages: 0 });
  expect(`slot ${LOGGED_ID}`, machine.setSlot(LOGGED_ID, LOGGED), 0);
  expect(`slot ${SPACE} << 16 | ${LOGGED_ID}`, machine.setSlot(LOGGED_SLOT, LOGGED), 0);
  expect(`slot of SMM`, machine.setSlot(STATE.slot, STATE), 0);
  const { buffer, byteOffset } = machine.memory;
  new Uint8Array(buffer, byteOffset).set(CODE);
  const [vcpu] = machine.vcpus;
  checked(vcpu!.ioctl(KVM_SMI), "KVM_SMI");
  for (const when of ["at first", "after its reset"]) {
    expect(`exit of the guest in SMM, ${when}`, machine.resume(0), machine.guest.exit);
    expect(`entries of a store in SMM, ${when}`, taken(machine), [[LOGGED_SLOT, PAGE]]);
    vcpu!.setRegisters({ rip: BEGIN, rflags: 2n });
  }
  return true;
}
