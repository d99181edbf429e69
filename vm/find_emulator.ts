import { findBochs } from "./bochs.ts";
import type { Emulator } from "./emulator.ts";
import { nestedKvm } from "./nested_kvm.ts";
import { findQemu } from "./qemu.ts";
import type { VmSettings } from "./vm_settings.ts";

/**
 * Picks what runs a machine: Bochs where an Intel processor is wanted that this host's KVM does not have, otherwise
 * QEMU, whose processor in software is AMD's.
 *
 * @param settings What is asked for.
 * @returns The emulator.
 * @throws {HostError} Where it is not installed, or there is no nested KVM and it was asked for.
 * @throws {UsageError} Where it is asked for what it cannot be.
 */
export async function findEmulator(settings: VmSettings): Promise<Emulator> {
  const nested = nestedKvm();
  const hasIntel = settings.accel !== "tcg" && typeof nested === "object" && nested.cpu === "intel";
  const isBochs = settings.cpu === "intel" && settings.accel !== "kvm" && !hasIntel;
  return isBochs ? await findBochs(settings) : await findQemu(settings, nested);
}
