import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { KernelFacts } from "../../host/facts.ts";
import type { GuestFile } from "../../vm/guest_request.ts";
import { Machine, type MachineListener } from "../../vm/machine.ts";
import { VmFailure, type VmSettings } from "../../vm/vm_failure.ts";
import {
  type FakeEmulator,
  fakeEmulator,
  type FakeGuest,
  type FakeTraits,
} from "./fake_emulator.ts";

/** What a machine's init process reports about its kernel. */
export const FACTS: KernelFacts = {
  backend: "kvm",
  model: null,
  release: "6.12.1",
  module: "kvm_amd",
  ringMaxBytes: 65536,
};
/** The default settings of a machine. */
export const SETTINGS: VmSettings = {
  accel: "auto",
  cpu: null,
  cpus: 2,
  memoryBytes: 2 ** 31,
  timeoutMs: null,
  kernelArgs: "",
};
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A machine with a fake emulator; records what it said, and whether its initramfs was freed. */
export class Case {
  readonly emulator: FakeEmulator;
  readonly machine: Machine;
  readonly said: string[] = [];
  readonly files: (readonly [GuestFile, string])[] = [];
  isFreed = false;

  constructor(
    play: (guest: FakeGuest) => Promise<void> | void,
    { listener = {}, modules = null, settings = {}, ...times }: FakeTraits & {
      readonly listener?: Partial<MachineListener>;
      readonly modules?: string | null;
      readonly settings?: Partial<VmSettings>;
    } = {},
  ) {
    this.emulator = fakeEmulator(play, times);
    const kernel = { image: { path: "a/bzImage", release: "6.12.1" }, modules };
    const initrd = () =>
      Promise.resolve({
        path: "/initrd",
        size: 0,
        [Symbol.dispose]: () => void (this.isFreed = true),
      });
    const wish = {
      kernel,
      settings: { ...SETTINGS, ...settings },
      emulator: this.emulator,
      initrd,
    };
    this.machine = new Machine(wish, {
      booted: ({ release }) => void this.said.push(`booted ${release}`),
      stdout: (bytes) => this.said.push(`stdout ${decode(bytes)}`) > 0,
      stderr: (bytes) => this.said.push(`stderr ${decode(bytes)}`) > 0,
      file: async (file, bytes) => {
        this.files.push([file, await new Response(bytes).text()]);
      },
      ...listener,
    });
  }

  /** Runs it, and asserts that it was killed and its initramfs freed. */
  async run() {
    try {
      return await this.machine.run();
    } finally {
      assertEquals([this.isFreed, this.emulator.kills], [true, 1]);
    }
  }

  /** Runs it, and asserts that it fails with a one-line message that has these parts. */
  async fails(...parts: readonly string[]): Promise<VmFailure> {
    const error = await assertRejects(() => this.run(), VmFailure, "a/bzImage: ");
    for (const part of parts) assertStringIncludes(error.message, part);
    assert(!error.message.includes("\n"));
    return error;
  }
}
