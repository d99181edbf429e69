// Runs a fuzz program on one kernel and records all that the program can see.
import { checked, errnoName } from "../../ffi/errors.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../../ffi/kvm_constants.ts";
import {
  KVM_CLEAR_DIRTY_LOG,
  KVM_CREATE_VCPU,
  KVM_GET_DIRTY_LOG,
  KVM_SET_USER_MEMORY_REGION,
} from "../../ffi/kvm_ioctls.ts";
import { kvm_clear_dirty_log, kvm_dirty_log } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { Vcpu } from "../../kvm/vcpu.ts";
import { memoryRegionStruct, type Vm } from "../../kvm/vm.ts";
import { resetRaw } from "../kit/machine.ts";
import { mapped } from "../kit/push_pages.ts";
import type { FuzzKernel } from "./kernel.ts";
import { type FuzzOp, type FuzzProgram, MOST_VCPUS } from "./program.ts";
import { type FuzzPause, type FuzzRing, FuzzVcpu, INTERRUPTED } from "./ring.ts";

/** The outcome of an operation: all that a program can see. */
export interface FuzzStep {
  /**
   * The kernel's answer: a number, the name of an errno or of an exit reason, or why the kernel was
   * not asked.
   */
  readonly answer: string;
  /**
   * Stores that the operation's vCPU has left; `null` where there is no such vCPU, or it is closed.
   */
  readonly remaining: number | null;
  /** Entries that changed, six numbers each: vCPU, index, flags, slot, offset low and high. */
  readonly entries: readonly number[];
  /** Host pages whose first word changed, two numbers each: page and value. */
  readonly words: readonly number[];
}

/** How many numbers describe an entry in {@linkcode FuzzStep.entries}. */
export const ENTRY_NUMBERS = 6;

/** Less than a page: added to an address or a size so that it is no multiple of a page. */
const SKEW = 512;

/**
 * Runs a program on a fresh VM.
 *
 * @param pause Called while a vCPU runs without an exit; returns whether the program may go on.
 * @returns The outcome of making the VM, then of each operation. Only the first where the kernel
 * refuses the ring; fewer where `pause` ended the program.
 * @throws {KernelError} Where the kernel fails a call that is not part of the program, for example
 * for lack of memory.
 */
export async function runProgram(
  kernel: FuzzKernel,
  program: FuzzProgram,
  pause: FuzzPause = () => Promise.resolve(true),
): Promise<FuzzStep[]> {
  using vm = new FuzzVm(kernel, program);
  const steps = [vm.made];
  if (vm.made.answer !== "0") return steps;
  for (const op of program.ops) {
    const step = await vm.step(op, pause);
    if (step.answer === INTERRUPTED) break;
    steps.push(step);
  }
  return steps;
}

type VcpuOp = Extract<FuzzOp, { readonly vcpu: number }>;
type RingOp = Extract<FuzzOp, { readonly do: "harvest" | "skip" | "fill" | "mark" | "forge" }>;

// The VM of one fuzz program. Like the checks' `Machine` (`conformance/kit/machine.ts`) it may be
// driven wrongly and in any order, but it executes a program's operations and records after each
// all that changed in its rings and memory.
class FuzzVm implements Disposable {
  readonly #resources: DisposableStack;
  readonly #kernel: FuzzKernel;
  readonly #vm: Vm;
  readonly #ringBytes: number;
  readonly #vcpus: FuzzVcpu[] = [];
  #value = 1;
  readonly made: FuzzStep;

  constructor(kernel: FuzzKernel, { ringBytes, vcpus, logProgram }: FuzzProgram) {
    using resources = new DisposableStack();
    this.#resources = resources;
    this.#kernel = kernel;
    this.#ringBytes = ringBytes;
    kernel.clear();
    this.#vm = resources.use(kernel.system.createVm());
    const answer = this.#vm.enableCap(KVM_CAP_DIRTY_LOG_RING, ringBytes);
    if (answer === 0) {
      this.#vm.setUserMemoryRegion({
        slot: 0,
        flags: logProgram,
        guestPhysAddr: 0,
        memorySize: kernel.program.length,
        userspaceAddr: kernel.program.address,
      });
      this.#vm.placeRealModePages(0);
      for (let id = 0; id < vcpus; id++) checked(this.#create(id), `KVM_CREATE_VCPU(${id})`);
    }
    this.made = this.#look(answerText(answer), undefined);
    this.#resources = resources.move();
  }

  async step(op: FuzzOp, pause: FuzzPause): Promise<FuzzStep> {
    const vcpu = "vcpu" in op ? this.#vcpus[op.vcpu] : undefined;
    if (!("vcpu" in op)) return this.#look(this.#ask(op), undefined);
    return this.#look(vcpu === undefined ? "no vCPU" : await this.#drive(op, vcpu, pause), vcpu);
  }

  #look(answer: string, vcpu: FuzzVcpu | undefined): FuzzStep {
    const entries: number[] = [];
    for (const [n, { ring }] of this.#vcpus.entries()) {
      ring?.changes(n, entries);
    }
    const remaining = vcpu?.remaining ?? null;
    return { answer, remaining, entries, words: this.#kernel.storedWords() };
  }

  // Executes an operation on a vCPU or on its ring.
  #drive(op: VcpuOp, vcpu: FuzzVcpu, pause: FuzzPause): string | Promise<string> {
    switch (op.do) {
      case "store":
        if (vcpu.isClosed) return "closed";
        vcpu.begin(this.#kernel.writeList(op.vcpu, op.gfns), op.gfns.length, this.#value);
        this.#value += op.gfns.length;
        return vcpu.run(false, pause);
      case "resume":
        return vcpu.run(false, pause);
      case "interrupted":
        return vcpu.run(true, pause);
      case "close":
        if (vcpu.isClosed && op.unmap === 0) return "closed";
        vcpu.close(op.unmap === 1);
        return "0";
      case "map": {
        const { page, pages, protection, flags } = op;
        if (vcpu.isClosed) return "closed";
        return mapped(this.#kernel.system.kernel, {
          fd: vcpu.vcpu.fd,
          page,
          pages,
          protection,
          flags,
        });
      }
      default:
        return vcpu.ring === null ? "no ring" : mark(op, vcpu.ring);
    }
  }

  // Executes an operation on the VM.
  #ask(op: Exclude<FuzzOp, VcpuOp>): string {
    switch (op.do) {
      case "slot":
        return answerText(this.#setSlot(op));
      case "reset": {
        const answer = resetRaw(this.#vm, op.argument);
        for (const { ring } of this.#vcpus) ring?.noteReset();
        return answerText(answer);
      }
      case "enable":
        return answerText(this.#vm.enableCap(op.capability, op.argument));
      case "log": {
        const struct = new Uint8Array((op.clear === 1 ? kvm_clear_dirty_log : kvm_dirty_log).size);
        // The slot is the first field of both structs.
        new DataView(struct.buffer).setUint32(kvm_dirty_log.at.slot, op.slot, true);
        const request = op.clear === 1 ? KVM_CLEAR_DIRTY_LOG : KVM_GET_DIRTY_LOG;
        return answerText(this.#vm.ioctl(request, struct));
      }
      case "create":
        return this.#vcpus.length < MOST_VCPUS ? answerText(this.#create(op.id)) : "no more vCPUs";
    }
  }

  #create(id: number): number {
    const fd = this.#vm.ioctl(KVM_CREATE_VCPU, id);
    if (fd < 0) return fd;
    const { system: { kernel, ticks }, mmapSize } = this.#kernel;
    const vcpu = Vcpu.take(kernel, fd, id, mmapSize, ticks);
    this.#vcpus.push(this.#resources.use(new FuzzVcpu(vcpu, this.#ringBytes)));
    return 0;
  }

  #setSlot(op: FuzzOp & { readonly do: "slot" }): number {
    const { slot, gfn, pages, flags, hostPage, skew } = op;
    const skewed = (field: number) => skew === field ? SKEW : 0;
    return this.#vm.ioctl(
      KVM_SET_USER_MEMORY_REGION,
      memoryRegionStruct({
        slot,
        flags,
        guestPhysAddr: gfn * PAGE_SIZE + skewed(2),
        memorySize: pages * PAGE_SIZE + skewed(1),
        userspaceAddr: this.#kernel.hostAddress + hostPage * PAGE_SIZE + skewed(3),
      }),
    );
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

// Executes an operation on a ring, without a call to the kernel.
function mark(op: RingOp, ring: FuzzRing): string {
  switch (op.do) {
    case "harvest":
      return `${ring.harvest(op.count)}`;
    case "skip":
      return `${ring.skip(op.count)}`;
    case "fill":
      return `${ring.fill(op.count)}`;
    case "mark":
      ring.mark(op.at, op.flags);
      return "marked";
    case "forge":
      ring.forge(op.at, op.slot, op.offset);
      return "forged";
  }
}

function answerText(answer: number): string {
  return answer < 0 ? errnoName(-answer) : `${answer}`;
}
