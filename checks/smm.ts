import { KVM_CAP_X86_SMM } from "../ffi/kvm_constants.ts";
import { checked } from "../ffi/kernel_error.ts";
import { KVM_SMI } from "../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { CheckHost } from "./check_host.ts";
import { expect } from "./expect.ts";
import type { Machine } from "./machine.ts";

/** The address space that a guest in system-management mode (SMM) sees. */
const SPACE = 1;
/** A logged slot in it: one of that id, at that place, is in the other address space too. */
const LOGGED = { gfn: 0x8000, pages: 16, hostPage: 64 } as const;
const LOGGED_ID = 9;
const LOGGED_SLOT = SPACE << 16 | LOGGED_ID;
/** The page stored to. */
const PAGE = 11;
/** Where a vCPU keeps its state in SMM, to the end of 64 KiB from 0x30000 on; it begins in the middle of them. */
const STATE = { slot: SPACE << 16 | 3, gfn: 0x38, pages: 8, hostPage: 0, flags: 0 } as const;
const BEGIN = 0x8000n; // rip: cs begins at 0x30000

const ADDRESS = (LOGGED.gfn + PAGE) * PAGE_SIZE;
/** mov dword [ADDRESS], 0x11223344 with 32-bit address and operand, in 16-bit code; out 0x10, al. */
const CODE = Uint8Array.of(
  ...[0x67, 0x66, 0xc7, 0x05],
  ...new Uint8Array(Uint32Array.of(ADDRESS, 0x1122_3344).buffer),
  ...[0xe6, 0x10],
);

// What the ring holds; it is taken back.
function taken(machine: Machine): number[][] {
  const held = machine.held(0).map(({ slot, offset }) => [slot, offset]);
  expect("entries harvested", machine.harvest(0), held.length);
  expect("entries reset", machine.reset(), held.length);
  return held;
}

/**
 * Holds that a store in SMM is pushed with its address space, and again once it was reset.
 *
 * @param host The kernel.
 * @returns Whether it has SMM; where not, nothing was done.
 * @throws {CheckFailure} Where another entry is pushed, or none.
 */
export function pushesInSmm(host: CheckHost): boolean {
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
