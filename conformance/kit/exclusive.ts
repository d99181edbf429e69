// Checks of what KVM allows beside the ring: dirty bitmaps and manual protection.
import { checked, errnoName } from "../../ffi/errors.ts";
import {
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "../../ffi/kvm_constants.ts";
import { KVM_CLEAR_DIRTY_LOG, KVM_GET_DIRTY_LOG } from "../../ffi/kvm_ioctls.ts";
import { kvm_clear_dirty_log, kvm_dirty_log } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { Mapping } from "../../kvm/mapping.ts";
import type { Check } from "./check.ts";
import type { CheckHost } from "./check_host.ts";
import { ascending, CheckSkip, expect, MAIN, numbers } from "./expect.ts";
import { storeTo } from "./forged.ts";
import type { Machine } from "./machine.ts";

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE and KVM_DIRTY_LOG_INITIALLY_SET. */
const MANUAL_AND_INITIALLY_SET = 3;

/**
 * A slot whose logging is switched on late. It is too small for a huge page, which would populate
 * all its pages at once.
 */
const LATE_SLOT = 2;
const LATE_GFN = 0x8000;
const LATE_PAGES = 32;

/**
 * One plain `KVM_GET_DIRTY_LOG` of slot 1.
 *
 * @param bitmap Memory that receives the bitmap; the caller owns it.
 * @returns 0, or minus an errno.
 */
export function getDirtyLog(machine: Machine, bitmap: Mapping): number {
  const view = new DataView(new ArrayBuffer(kvm_dirty_log.size));
  view.setUint32(kvm_dirty_log.at.slot, 1, true);
  view.setBigUint64(kvm_dirty_log.at.dirty_bitmap, BigInt(bitmap.address), true);
  return machine.vm.ioctl(KVM_GET_DIRTY_LOG, new Uint8Array(view.buffer));
}

function clearDirtyLog(machine: Machine, bitmap: Mapping): number {
  const { at, size } = kvm_clear_dirty_log;
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(at.slot, 1, true);
  view.setUint32(at.num_pages, 64, true);
  view.setBigUint64(at.dirty_bitmap, BigInt(bitmap.address), true);
  return machine.vm.ioctl(KVM_CLEAR_DIRTY_LOG, new Uint8Array(view.buffer));
}

function bitsOf(bitmap: Mapping): number[] {
  return numbers(bitmap.length * 8).filter((n) => (bitmap.bytes[n >> 3]! >> (n & 7) & 1) === 1);
}

// Returns the pages logged in a slot whose pages 0 to 3 were populated before its logging began.
function loggedLate(host: CheckHost, manual: boolean): number[] {
  const machine = host.machine({
    beforeVcpus(vm) {
      if (!manual) return;
      const answer = vm.enableCap(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, MANUAL_AND_INITIALLY_SET);
      expect("KVM_ENABLE_CAP(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) beside the ring", answer, 0);
    },
  });
  const place = { gfn: LATE_GFN, pages: LATE_PAGES };
  checked(machine.setSlot(LATE_SLOT, { ...place, flags: 0 }), "slot without the log flag");
  storeTo(machine, numbers(4, LATE_GFN));
  expect("entries before logging began", machine.held(0).length, 0);
  const logged = { ...place, flags: KVM_MEM_LOG_DIRTY_PAGES };
  checked(machine.setSlot(LATE_SLOT, logged), "slot with the log flag");
  // Keep the fresh pages apart from the others: KVM may map the neighbours of a page, too.
  storeTo(machine, [...numbers(4, LATE_GFN), ...numbers(4, LATE_GFN + 16)]);
  const slots = machine.held(0).filter(({ slot }) => slot !== LATE_SLOT);
  expect("entries of other slots", slots.length, 0);
  return ascending(machine.dirty(0));
}

/** The statements of "Resetting" on what works beside the ring and what does not. */
export const EXCLUSIVE_CHECKS: readonly Check[] = [
  {
    id: "exclusive.get-dirty-log",
    statement: "with the ring on, KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG answer ENXIO",
    source: MAIN,
    where: "live",
    run(host) {
      const bitmap = host.use(Mapping.anonymous(host.kernel, PAGE_SIZE, "dirty bitmap"));
      const ringOn = host.machine();
      storeTo(ringOn, [ringOn.gfn]);
      expect("KVM_GET_DIRTY_LOG", errnoName(-getDirtyLog(ringOn, bitmap)), "ENXIO");
      expect("KVM_CLEAR_DIRTY_LOG", errnoName(-clearDirtyLog(ringOn, bitmap)), "ENXIO");
      expect("pages in the bitmap", bitsOf(bitmap), []);

      const ringOff = host.machine({ ringBytes: null });
      const pages = [0, 3, 64, 1000];
      storeTo(ringOff, pages.map((page) => ringOff.gfn + page));
      expect("KVM_GET_DIRTY_LOG with the ring off", getDirtyLog(ringOff, bitmap), 0);
      expect("pages in the bitmap", bitsOf(bitmap), pages);
      expect("KVM_CLEAR_DIRTY_LOG with the ring off", clearDirtyLog(ringOff, bitmap), 0);
    },
  },
  {
    id: "exclusive.manual-protect",
    statement:
      "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 with INITIALLY_SET is accepted beside the ring, but " +
      "pages populated before logging began are then not logged",
    source: MAIN,
    where: "live",
    run(host) {
      const value = host.system.checkExtension(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
      if (value !== MANUAL_AND_INITIALLY_SET) {
        throw new CheckSkip(`KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is ${value}, without INITIALLY_SET`);
      }
      const fresh = numbers(4, 16);
      expect("pages logged without it", loggedLate(host, false), [...numbers(4), ...fresh]);
      expect("pages logged with it", loggedLate(host, true), fresh);
    },
  },
];
