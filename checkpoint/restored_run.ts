import { KernelError } from "../ffi/kernel_error.ts";
import { restoreVcpuState, VCPU_STATE_BYTES } from "../kvm/vcpu_state.ts";
import type { CheckpointState } from "./checkpoint_file.ts";
import { Counters, type StoreCount } from "./counters.ts";
import { finishStores } from "./finish_stores.ts";
import { HarvestCycle } from "../drive/harvest_cycle.ts";
import { GuestError } from "../lab/guest_error.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import { giveIopl } from "./guest_iopl.ts";
import type { InterruptWatch } from "../lab/interrupt.ts";
import type { VcpuPlace } from "../live/live_vcpus.ts";
import type { RestoreCheck } from "./restore_result.ts";

/** A restored machine that is run on, and what was found out about it. */
export class RestoredRun {
  readonly #vm: GuestVm;
  readonly #cycle: HarvestCycle;
  readonly #interrupt: InterruptWatch;
  /** What its pages must hold. */
  readonly counters: Counters;
  /** What was looked at. */
  readonly checks: RestoreCheck[] = [];
  /** What did not hold beside wrong pages. */
  readonly problems: string[] = [];
  /** vCPUs that were saved without the IOPL of their program. */
  withoutIopl = 0;
  /** Where its vCPUs are. */
  places: readonly VcpuPlace[];
  /** What ended it before its time. */
  error: string | null = null;

  /**
   * Makes ready.
   *
   * @param vm The VM, fresh.
   * @param places Where its vCPUs were.
   * @param interrupt Ends it early.
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
   * Loads slot 0 and the registers, and holds each against what it must be.
   *
   * @param state Them.
   * @throws {KernelError} Where the kernel refuses the registers.
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

  // What is wrong with where a vCPU is said to be; null where nothing is.
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

  /** Compares, lets each vCPU finish its pass, compares, lets each make a pass more, and compares. */
  async toEnd(): Promise<void> {
    const vm = this.#vm;
    const finished = this.places.map(({ stores, passStores, passMade }) =>
      stores - passMade + passStores
    );
    const after = finished.map((stores, id) => stores + vm.vcpus[id]!.stores);
    try {
      if (!this.#check("restored", this.places.map(({ stores }) => ({ stores, origin: 0 })))) {
        return;
      }
      await this.#run(this.places, finished);
      if (!this.#check("pass finished", finished.map((stores) => ({ stores, origin: 0 })))) return;
      await this.#run(finished.map((stores, id) => this.#beginPass(id, stores)), after);
      this.#check("another pass", after.map((stores, id) => ({ stores, origin: finished[id]! })));
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

  // Sets a vCPU's registers to begin its list again.
  #beginPass(id: number, stores: number): VcpuPlace {
    const vm = this.#vm;
    const { vcpu, first, stores: passStores } = vm.vcpus[id]!;
    const value = this.counters.valueOf(id, stores);
    const errand = { ...vm.errand(id, first, 0), stores: passStores, value };
    vcpu.setRegisters(vm.plan.guest.begin(errand));
    return { stores, value, passStores, passMade: 0 };
  }

  // Looks at all pages, unless something else is wrong already, or a signal came: answers whether all is right.
  #check(when: RestoreCheck["when"], counts: readonly StoreCount[]): boolean {
    if (this.problems.length > 0 || this.#interrupt.signal !== null) return false;
    const stores = counts.reduce((sum, count) => sum + count.stores, 0);
    const wrong = this.counters.compare(counts);
    this.checks.push({ when, stores, wrong });
    return wrong.count === 0;
  }
}
