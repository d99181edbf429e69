import type { CheckpointState } from "../../checkpoint/checkpoint_file.ts";
import { expectedStop, sharesOf, unfinishedText } from "../../drive/expected_stop.ts";
import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import type { VcpuPlace } from "../../drive/live_vcpus.ts";
import { startVcpus } from "../../drive/start_vcpus.ts";
import { KernelError } from "../../ffi/errors.ts";
import { kvm_regs } from "../../ffi/kvm_structs.ts";
import { GuestError } from "../../host/errors.ts";
import type { InterruptWatch } from "../../host/interrupt.ts";
import { restoreVcpuState, VCPU_STATE_BYTES } from "../../kvm/vcpu.ts";
import type { GuestVm } from "../../machine/guest_vm.ts";
import { DirtySet } from "../../memory/page_sets.ts";
import { Counters, type RestoreCheck, type StoreCount } from "./restore_result.ts";

/** Runs a restored machine on and checks it. */
export class RestoredRun {
  readonly #vm: GuestVm;
  readonly #cycle: HarvestCycle;
  readonly #interrupt: InterruptWatch;
  /** What the machine's pages must hold. */
  readonly counters: Counters;
  /** The checks that were made. */
  readonly checks: RestoreCheck[] = [];
  /** What did not hold, apart from wrong pages. */
  readonly problems: string[] = [];
  /** How many vCPUs were saved without the IOPL of their program. */
  withoutIopl = 0;
  /** How far its vCPUs are in their stores. */
  places: readonly VcpuPlace[];
  /** The failure that ended the run early, if any. */
  error: string | null = null;

  /**
   * Prepares a run.
   *
   * @param vm The VM, fresh.
   * @param places How far its vCPUs were in their stores.
   */
  constructor(
    vm: GuestVm,
    places: readonly VcpuPlace[],
    interrupt: InterruptWatch,
  ) {
    this.#vm = vm;
    this.#cycle = new HarvestCycle(vm.tracker);
    this.places = places;
    this.#interrupt = interrupt;
    this.counters = new Counters(vm);
  }

  /**
   * Loads slot 0 and the registers, and checks both.
   *
   * @throws {KernelError} If the kernel refuses the registers.
   */
  load({ slot0, registers }: CheckpointState): void {
    const vm = this.#vm;
    const other = slot0.findIndex((byte, at) => byte !== vm.slot0[at]);
    if (other !== -1) {
      this.problems.push(
        `slot 0 differs, from byte ${other} on, from the guest's code, page tables and list`,
      );
    }
    vm.slot0.set(slot0);
    vm.vcpus.forEach(({ vcpu }, id) => {
      const state = registers.subarray(id * VCPU_STATE_BYTES);
      const { rflags = 0n } = vm.plan.guest.begin(vm.errand(id, 0, 0));
      if (giveIopl(state, rflags)) this.withoutIopl++;
      restoreVcpuState(vcpu, state);
      const wrong = this.#wrongPlace(id);
      if (wrong !== null) this.problems.push(`vCPU ${id}: ${wrong}`);
    });
  }

  // Says what is wrong with the recorded place of a vCPU; null if nothing is.
  #wrongPlace(id: number): string | null {
    const { stores: block } = this.#vm.vcpus[id]!;
    const { stores, value, passStores, passMade } = this.places[id]!;
    const finished = stores - passMade;
    const isInPass = passMade <= passStores && passStores <= block && finished >= 0 &&
      (passStores === 0 || finished % block === 0) && (block > 0 || stores === 0);
    if (!isInPass) {
      return `${stores} stores, ${passMade} of ${passStores} in a pass of ${block}, cannot be`;
    }
    const begins = this.counters.valueOf(id, finished);
    if (value !== begins) {
      return `its pass begins with ${value}, but after ${finished} stores with ${begins}`;
    }
    const left = this.#vm.remaining(id);
    if (left === passStores - passMade) return null;
    return `its registers leave ${left} stores to make, its place ${passStores - passMade}`;
  }

  /**
   * Compares, lets each vCPU finish its pass, compares, lets each make one more pass, and compares.
   */
  async toEnd(): Promise<void> {
    const vm = this.#vm;
    const finished = this.places.map(({ stores, passStores, passMade }) =>
      stores - passMade + passStores
    );
    const after = finished.map((stores, id) => stores + vm.vcpus[id]!.stores);
    try {
      if (
        !await this.#check("restored", this.places.map(({ stores }) => ({ stores, origin: 0 })))
      ) {
        return;
      }
      await this.#run(this.places, finished);
      if (!await this.#check("pass finished", finished.map((stores) => ({ stores, origin: 0 })))) {
        return;
      }
      await this.#run(finished.map((stores, id) => this.#beginPass(id, stores)), after);
      await this.#check(
        "another pass",
        after.map((stores, id) => ({ stores, origin: finished[id]! })),
      );
    } catch (error) {
      if (!(error instanceof KernelError || error instanceof GuestError)) throw error;
      this.error = error.message;
    }
  }

  async #run(from: readonly VcpuPlace[], quotas: readonly number[]): Promise<void> {
    this.places = await finishStores(this.#vm, this.#cycle, from, quotas, this.#interrupt);
    this.problems.push(...this.#cycle.problems.list);
    if (this.#interrupt.signal !== null) return;
    this.places.forEach(({ stores }, id) => {
      if (stores === quotas[id]) return;
      this.problems.push(`vCPU ${id} made ${stores} stores in all, and not ${quotas[id]}`);
    });
  }

  // Sets a vCPU's registers to the beginning of its list.
  #beginPass(id: number, stores: number): VcpuPlace {
    const vm = this.#vm;
    const { vcpu, first, stores: passStores } = vm.vcpus[id]!;
    const value = this.counters.valueOf(id, stores);
    const errand = { ...vm.errand(id, first, 0), stores: passStores, value };
    vcpu.setRegisters(vm.plan.guest.begin(errand));
    return { stores, value, passStores, passMade: 0 };
  }

  // Checks all pages, unless a problem was found or a signal came before. Returns whether all is
  // right.
  async #check(when: RestoreCheck["when"], counts: readonly StoreCount[]): Promise<boolean> {
    if (this.problems.length > 0 || this.#interrupt.signal !== null) return false;
    const stores = counts.reduce((sum, count) => sum + count.stores, 0);
    const wrong = await this.counters.compare(counts, this.#interrupt);
    if (wrong === null) return false;
    this.checks.push({ when, stores, wrong });
    return wrong.count === 0;
  }
}

const TURN_MS = 20;
/** Time limit in milliseconds: a guest that was restored wrong may never end. */
const MOST_MS = 60_000;
/**
 * The time limit on the model: these milliseconds are shared by all vCPUs, and each store adds ten
 * times what it takes. The model's own clock counts, so other work on the host does not matter.
 */
const MODEL_MS = 1000;
const MODEL_STORE_MS = 0.02;
const ADVICE =
  "it was restored wrong, or this host is busy with other work: try again when it is not";

/**
 * Runs vCPUs on from where they are until each has made its stores. Rings that get full are
 * emptied.
 *
 * @param cycle Empties the rings.
 * @param places Where each vCPU is; its registers are set. A vCPU that is in no pass stays stopped.
 * @param quotas Stores since the beginning at which each vCPU stops.
 * @returns Where the vCPUs are at the end.
 * @throws {GuestError} If they do not end in time, or one stops in a way that the guest never
 * causes.
 * @throws {KernelError} If the kernel fails a call.
 * @throws {HostError} If vCPUs cannot be started.
 */
async function finishStores(
  vm: GuestVm,
  cycle: HarvestCycle,
  places: readonly VcpuPlace[],
  quotas: readonly number[],
  interrupt: InterruptWatch,
): Promise<readonly VcpuPlace[]> {
  await using vcpus = await startVcpus(vm, { quotas, places });
  const dirty = new DirtySet(vm.pages.total); // not used, but rings have to be emptied
  const going = new Set(places.keys().filter((id) => places[id]!.passStores > 0));
  const left = Math.max(...going.values().map((id) => quotas[id]! - places[id]!.stores), 0);
  const most = vm.kernel.backend === "model"
    ? MODEL_MS / vm.vcpus.length + left * MODEL_STORE_MS
    : MOST_MS;
  const end = vcpus.now() + most;
  // vCPUs that run cannot be asked how far they are; what a full ring brought tells some of it.
  const learned = () => [...places.keys()].reduce((sum, id) => sum + vm.tracker.learnedOf(id), 0);
  const before = learned();
  using _step = interrupt.progress?.begin({
    what: "running on",
    total: [...going].reduce((sum, id) => sum + quotas[id]! - places[id]!.stores, 0),
    done: () => learned() - before,
  });
  try {
    for (const id of going) vcpus.resume(id);
    while (going.size > 0 && interrupt.signal === null) {
      vcpus.wait(Math.min(TURN_MS, most, vcpus.turnMs));
      for (const id of going) {
        const stop = expectedStop(vm, id, vcpus.stopOf(id));
        if (stop === "done") going.delete(id);
        if (stop !== "full") continue;
        cycle.learnInto(dirty, vm.pages, [id]);
        cycle.rearm();
        dirty.clear();
        vcpus.resume(id);
      }
      if (vcpus.now() >= end) {
        vcpus.stop();
        const shares = sharesOf(vcpus, quotas);
        if (shares.every(({ made, asked }) => made >= asked)) break;
        throw new GuestError(
          (name) =>
            `the restored machine: ${unfinishedText(shares, Math.ceil(most), name, ADVICE)}`,
        );
      }
      if (interrupt.isDue) await interrupt.pause();
    }
  } finally {
    vcpus.stop();
  }
  return places.map((_, id) => vcpus.placeOf(id));
}

/** The I/O privilege level in RFLAGS. */
const IOPL = 0x3000n;

/**
 * Sets the IOPL of the guest's program in saved registers; the program never changes it. A KVM may
 * answer `KVM_GET_REGS` without it: kvm_pvm does once a guest has run, since it checks I/O
 * instructions by other means. On another KVM the guest would then fault at its OUT.
 *
 * @param registers A `struct kvm_regs`, changed in place.
 * @param rflags The RFLAGS that the program begins with.
 * @returns Whether the saved IOPL was a different one.
 */
function giveIopl(registers: Uint8Array<ArrayBuffer>, rflags: bigint): boolean {
  const view = new DataView(registers.buffer, registers.byteOffset);
  const saved = view.getBigUint64(kvm_regs.at.rflags, true);
  const given = (saved & ~IOPL) | (rflags & IOPL);
  view.setBigUint64(kvm_regs.at.rflags, given, true);
  return given !== saved;
}
