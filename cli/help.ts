import { EXIT } from "../lab/exit_status.ts";
import { commandHelp, generalHelp, type HelpOption, type HelpStatus } from "./help_text.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import type { Registry } from "./command.ts";
import type { OptionTable } from "./option.ts";
import { usage } from "./parse.ts";
import { VM_OPTIONS } from "./vm_options.ts";

const STATUSES: readonly HelpStatus[] = [
  [[EXIT.OK], "done, and all that was checked holds"],
  [[EXIT.BROKEN], "something checked does not hold"],
  [[EXIT.USAGE], "the command line, a file or a value in it is wrong"],
  [[EXIT.KERNEL], "the kernel refused or failed a call that was needed"],
  [[EXIT.HOST], "this host cannot do it: no /dev/kvm, no permission, no dirty ring"],
  [[EXIT.DEFECT], "a defect of dirtyring"],
  [[EXIT.MACHINE], "with --kernel: that kernel did not boot, panicked, hung or ran out of time"],
  [[EXIT.SIGINT, EXIT.SIGTERM], "interrupted"],
];

function helpOptions(table: OptionTable): HelpOption[] {
  return Object.entries(table).map(([name, { value, help, fallbackText }]) => ({
    name,
    value,
    help,
    fallback: fallbackText,
  }));
}

/**
 * The text of `dirtyring help`.
 *
 * @param registry The commands that there are.
 * @param name A command; without one, the overview.
 * @returns Lines with their ends.
 * @throws {UsageError} Where there is no such command.
 */
export async function help(registry: Registry, name?: string): Promise<Iterable<string>> {
  const all = helpOptions(GLOBAL_OPTIONS);
  const machine = all.filter(({ name }) => Object.hasOwn(VM_OPTIONS, name));
  const options = { machine, program: all.filter((option) => !machine.includes(option)) };
  if (name !== undefined && name !== "help") {
    const command = await registry.load(name);
    const all = { options: helpOptions(command.options), operands: helpOptions(command.operands) };
    return commandHelp({ ...command, ...all, usage: usage(command) }, options);
  }
  const commands = await Promise.all(registry.names.map(registry.load));
  return generalHelp(commands, options, STATUSES);
}
