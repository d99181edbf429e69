import { flag, type Option } from "./option.ts";
import { VM_OPTIONS } from "./vm_options.ts";

/** The options of every command. */
export const GLOBAL_OPTIONS: typeof VM_OPTIONS & {
  readonly trace: Option<boolean>;
  readonly verbose: Option<boolean>;
  readonly help: Option<boolean>;
  readonly version: Option<boolean>;
} = {
  ...VM_OPTIONS,
  trace: flag("show every kernel call on stderr: name, arguments, answer"),
  verbose: flag("show the stack of an error"),
  help: flag("show this help"),
  version: flag("show the version"),
};
