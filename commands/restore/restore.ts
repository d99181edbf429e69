import { type CheckpointChain, readChain, someOf } from "../../checkpoint/checkpoint_chain.ts";
import {
  BrokenFile,
  readPages,
  readState,
  type WholeFile,
} from "../../checkpoint/checkpoint_file.ts";
import type { CheckpointHeader } from "../../checkpoint/checkpoint_header.ts";
import type { Context } from "../../cli/context.ts";
import { ERRNO, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_CAP_MAX_VCPUS, KVM_CAP_NR_MEMSLOTS } from "../../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { parsePattern } from "../../guest/pattern.ts";
import type { BackendSelection } from "../../host/backend.ts";
import { EndedBySignal, LimitError, UsageError, ValueError } from "../../host/errors.ts";
import { goOn, type InterruptWatch } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { largestRing, smallestRing, System } from "../../kvm/system.ts";
import { trackerOf } from "../../machine/bitmap_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import { GUESTS, type Plan, planLab, sharesOf } from "../../machine/plan.ts";
import { printable } from "../../text/printable.ts";
import { watchKernel } from "../watch_kernel.ts";
import type { RestoreResult } from "./restore_result.ts";
import { RestoredRun } from "./restored_run.ts";

/** What a command line asks for. */
export interface RestoreRequest extends BackendSelection {
  /** The folder of the checkpoints. */
  readonly folder: string;
}

/** How many unused files are named in notes; the result names them all. */
const NOTED = 3;

/**
 * Runs `dirtyring restore`.
 *
 * @throws {UsageError} If no checkpoint of the folder is whole.
 */
export async function restoreCheckpoint(
  request: RestoreRequest,
  context: Context,
): Promise<Watched<RestoreResult>> {
  const { folder } = request;
  using interrupt = await context.listen();
  const chain = await readChain(folder, interrupt);
  const last = chain.files.at(-1)!.header.epoch; // a chain has at least one file
  for (const { file, reason } of chain.skipped.slice(0, NOTED)) {
    context.note(`${printable(`${folder}/${file}`)}: ${reason}; epoch ${last} is restored`);
  }
  const more = chain.skipped.length - NOTED;
  const named = printable(folder);
  if (more > 0) context.note(`${named}: ${more} more files are not used`);
  const { others } = chain;
  if (others.length > 0) {
    context.note(`${named}: passed over ${someOf(others)}: no checkpoint has such a name`);
  }
  const kernel = await context.openKernel(request);
  const result = await watchKernel(
    kernel,
    context.note,
    () => restore(kernel, chain, interrupt),
  );
  if (result.error !== null) context.note(result.error);
  return result;
}

/**
 * Makes a machine again from its checkpoints and runs it on. First memory and registers must agree
 * with the files. Then each vCPU finishes the pass of its list that it was in, and then makes
 * another one. After each step every page must hold exactly what the stores so far must have left
 * there.
 *
 * @param kernel The kernel to run on; it need not be the one that ran the machine before.
 * @returns The result, even if a vCPU failed on the way: see its `error`.
 * @throws {LimitError} If this kernel, or the host's memory, cannot hold the machine of the
 * checkpoints.
 * @throws {HostError} If the host has no usable KVM, or vCPUs cannot be started.
 * @throws {KernelError} If the kernel refuses a call that makes the machine.
 */
export async function restore(
  kernel: Kernel,
  chain: CheckpointChain,
  interrupt: InterruptWatch,
): Promise<RestoreResult> {
  const { folder, files, skipped } = chain;
  const last = files[files.length - 1]!;
  checkLimits(kernel, last);
  const state = await fitting(last, () => unbroken(folder, () => readState(last)));
  const { header } = last;
  using vm = await fitting(last, () => {
    const plan = restorePlan(header, state.slot0, last.path);
    return new GuestVm(kernel, plan, trackerOf(header.tracking, plan.ringBytes));
  });
  vm.tracker.warm();
  const run = await fitting(last, () => new RestoredRun(vm, header.vcpus, interrupt));
  run.load(state);
  const memory = new Uint8Array(vm.memory.buffer, vm.memory.byteOffset, vm.memory.byteLength);
  await loadPages(chain, memory, run, interrupt);
  if (interrupt.signal === null) await run.toEnd();
  const { problems, checks, error, withoutIopl } = run;
  return {
    schema: "dirtyring.restore/1",
    kernel: vm.kernel,
    lab: vm.plan.options,
    slots: vm.plan.slots,
    folder,
    from: header.kernel,
    tracking: header.tracking,
    epoch: header.epoch,
    files: files.length,
    skipped,
    pages: run.counters.pages,
    vcpus: header.vcpus.map(({ stores }, vcpu) => ({
      vcpu,
      storesBefore: stores,
      storesAfter: run.places[vcpu]!.stores,
    })),
    withoutIopl,
    checks,
    problems,
    ok: problems.length === 0 && checks.every(({ wrong }) => wrong.count === 0),
    error,
    interrupted: interrupt.signal,
  };
}

// The pages of all files, the later ones over the earlier ones.
async function loadPages(
  { folder, files }: CheckpointChain,
  memory: Uint8Array<ArrayBuffer>,
  { counters }: RestoredRun,
  interrupt: InterruptWatch,
): Promise<void> {
  let loaded = 0;
  using _step = interrupt.progress?.begin({
    what: "loading memory",
    total: files.reduce((sum, { header }) => sum + header.pages, 0),
    done: () => loaded,
  });
  const use = (page: number) => {
    loaded++;
    counters.use(page);
  };
  try {
    for (const file of files) {
      await unbroken(folder, () => readPages(file, memory, use, () => goOn(interrupt)));
    }
  } catch (error) {
    // The result then tells what was loaded.
    if (!(error instanceof EndedBySignal)) throw error;
  }
}

// Reads a file that was whole a moment ago; if it no longer is, it has changed meanwhile.
async function unbroken<T>(folder: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error;
    const { message } = error;
    throw new ValueError(
      { restore: folder },
      () => `restore ${printable(folder)}: a file changed meanwhile: ${message}`,
    );
  }
}

/**
 * Plans the machine of a checkpoint from its header. A pattern that came from a file is read back
 * from the access list in slot 0.
 *
 * @param header The header of a file that was checked.
 * @param slot0 Slot 0 of the same file.
 * @param path The file's path, for errors.
 * @throws {UsageError} If the access list holds an address outside logged memory.
 */
export function restorePlan(
  header: CheckpointHeader,
  slot0: Uint8Array<ArrayBuffer>,
  path: string,
): Plan {
  const { lab } = header;
  const pattern = parsePattern(lab.pattern);
  const options = { ...lab, pattern, ringBytes: lab.ring * kvm_dirty_gfn.size, rounds: 1 };
  const isListed = pattern.name === "file";
  return planLab(options, isListed ? () => readList(header, slot0, path) : undefined);
}

// Reads the pattern back from the first pass of each vCPU's block.
function readList(
  { lab, slot0Bytes }: CheckpointHeader,
  slot0: Uint8Array<ArrayBuffer>,
  path: string,
): Uint32Array<ArrayBuffer> {
  const { listAt, listElement } = GUESTS[lab.guest];
  const view = new DataView(slot0.buffer, slot0.byteOffset, slot0.length);
  const pages = lab.memory / PAGE_SIZE;
  const list = new Uint32Array(lab.pages);
  sharesOf(lab.pages, lab.vcpus).forEach(({ first, stores }) => {
    for (let n = 0; n < stores; n++) {
      const at = listAt + (first * lab.passes + n) * listElement;
      const address = listElement === 4
        ? view.getUint32(at, true)
        : Number(view.getBigUint64(at, true));
      const page = (address - slot0Bytes) / PAGE_SIZE;
      if (!Number.isInteger(page) || page < 0 || page >= pages) {
        const store = first + n;
        throw new UsageError(
          `${
            printable(path)
          }: its access list names address ${address} as store ${store}, which is no page of ` +
            "logged memory; expected one that dirtyring checkpoint --into wrote",
        );
      }
      list[first + n] = page;
    }
  });
  return list;
}

/**
 * Checks that a kernel can take a machine, before it is made. Whoever restores it cannot change its
 * options, so an error is about the file, not about an option.
 *
 * @param file The file that describes the machine.
 * @throws {LimitError} If it has more vCPUs or slots than the kernel allows, or rings of a size
 * that the kernel refuses.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} If the kernel fails a call.
 */
export function checkLimits(kernel: Kernel, { path, header: { lab, tracking } }: WholeFile): void {
  using system = System.open(kernel);
  const refuse = (what: string): never => {
    throw new LimitError(
      { restore: path },
      () => `${printable(path)}: its machine has ${what}; expected a kernel that takes it`,
    );
  };
  const vcpus = system.checkExtension(KVM_CAP_MAX_VCPUS);
  if (lab.vcpus > vcpus) refuse(`${lab.vcpus} vCPUs, and this kernel allows ${vcpus} at most`);
  const slots = system.checkExtension(KVM_CAP_NR_MEMSLOTS) - 1;
  if (lab.slots > slots) {
    refuse(`${lab.slots} logged slots, and this kernel allows ${slots} beside slot 0 at most`);
  }
  if (tracking !== "ring") return;
  const largest = largestRing(system);
  const entries = (bytes: number) => bytes / kvm_dirty_gfn.size;
  const [least, most] = [entries(smallestRing(system, largest)), entries(largest)];
  if (lab.ring >= least && lab.ring <= most && Number.isInteger(Math.log2(lab.ring))) return;
  refuse(
    `rings of ${lab.ring} entries, and this kernel takes a power of two from ${least} to ${most}`,
  );
}

/**
 * Makes something that a checkpoint describes, and reports it if memory is too short for it.
 *
 * @param file The file that describes it.
 * @param make Makes it.
 * @returns What `make` returned.
 * @throws {LimitError} If the host has too little memory.
 */
export async function fitting<T>(
  { path, header: { lab } }: WholeFile,
  make: () => T | Promise<T>,
): Promise<T> {
  try {
    return await make();
  } catch (error) {
    const why = wantOfMemory(error);
    if (why === null) throw error;
    throw new LimitError(
      { restore: path },
      () =>
        `${
          printable(path)
        }: there is no memory here for its machine of ${lab.vcpus} vCPUs and ${lab.memory} bytes ` +
        `of memory (${why}); expected a larger host, or a higher limit (ulimit -v)`,
    );
  }
}

// The kernel says ENOMEM. V8 has no error class of its own for an array that it cannot allocate.
function wantOfMemory(error: unknown): string | null {
  if (error instanceof KernelError && error.errno === ERRNO.ENOMEM) return `${error.call}: ENOMEM`;
  const isAllocation = error instanceof RangeError &&
    /allocation failed|Invalid typed array/.test(error.message);
  return isAllocation ? error.message : null;
}
