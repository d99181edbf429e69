// Command lines with every option of every command, with valid and with invalid values.
import { GLOBAL_OPTIONS } from "../../cli/global_options.ts";
import type { OptionTable } from "../../cli/option.ts";
import { COMMAND_NAMES, loadCommand } from "../../commands/registry.ts";
import type { Random } from "../../guest/pattern.ts";
import { once, pick } from "./chance.ts";
import type { Format } from "./hostile_case.ts";
import { fileName } from "./site.ts";
import { hostileArgument } from "./texts.ts";

/**
 * Valid values. They are all small, so that a case that takes long or needs much memory shows a
 * defect.
 */
const SMALL: Readonly<Record<string, readonly string[]>> = {
  vcpus: ["1", "2", "3", "0x2"],
  memory: ["64KiB", "1MiB", "128k"],
  slots: ["1", "2", "3"],
  ring: ["256", "1024", "4096", "16KiB"],
  pages: ["1", "7", "64", "300"],
  rounds: ["1", "2"],
  repetitions: ["1"],
  repeat: ["1", "2"],
  seed: ["0", "1", "9007199254740991"],
  pattern: [
    "sequential",
    "reverse",
    "stride:3",
    "random",
    "window:4",
    "zigzag",
    "pingpong",
    "hot:2",
  ],
  duration: ["1ms", "20ms"],
  interval: ["1ms", "5ms"],
  timeout: ["5s"],
  epochs: ["1", "2"],
  stores: ["1", "100"],
  "max-dirty": ["1", "8"],
  vcpu: ["0", "1"],
  limit: ["0", "1", "99999"],
  gap: ["0", "3", "9007199254740991"],
  "harvest-first": ["0", "3", "9007199254740991"],
  only: ["x", "x", "x", "", "enable.u32"],
  skip: ["*", "a*"],
  sweep: ["cost"],
  model: ["v5.11", "v6.1", "v6.12+pml", "latest+emulator", "v6.17+pml+emulator"],
  programs: ["1", "2"],
};

/** Numbers that are invalid for every option, or harmless. */
const NUMBERS: readonly string[] = [
  ...["-1", "-0", "0", "1.5", "1e3", "0x", "0xg", "00", "NaN", "Infinity", "9007199254740992"],
  ...["18446744073709551616", "1".repeat(400), " 1", "1 ", "\uff11", "0b1", "+1", "1,1", "1_000"],
  ...["4294967296", "1KiB", "4095B", "1XiB", "16EiB", "0KiB", "0.1ms", "61m", "1h", "1ms,2ms"],
];

/** Options for commands that would run long by default. */
const SHORT: Readonly<Record<string, readonly string[]>> = {
  bench: ["--sweep=cost", "--memory=64KiB", "--pages=4", "--repetitions=1"],
  run: ["--memory=1MiB"],
  live: ["--duration=5ms", "--memory=1MiB"],
  stats: ["--memory=1MiB"],
  checkpoint: ["--epochs=1", "--interval=2ms", "--memory=1MiB"],
};

/** Commands that take some milliseconds. */
const QUICK: readonly string[] = ["probe", "enable", "dump", "reset"];
/**
 * Options that are not tried here: `--verbose` prints stacks, and machines have a format of their
 * own.
 */
const NOT_HERE = /^(verbose|kernel|modules|kernel-args|vm-.*|svg|trace)$/;
/** Options and operands whose values are files or folders. */
const FILES: readonly string[] = [
  ...["output", "into", "folder", "file", "expect", "baseline", "base", "others"],
];

/** Command lines. */
export const commandLines: Format = {
  name: "command-line",
  share: 40,
  async make(random, site) {
    if (once(random, 30)) {
      const args = words(random);
      return { args, writes: writtenBy(args) };
    }
    const name = once(random, 2) ? pick(random, COMMAND_NAMES) : pick(random, QUICK);
    const command = await loadCommand(name);
    const options: OptionTable = { ...command.options, ...GLOBAL_OPTIONS };
    const names = Object.keys(options).filter((option) => !NOT_HERE.test(option));
    const given = new Map<string, string>();
    const wrong = random(3);
    for (let left = random(5); left > 0; left--) {
      const option = pick(random, names);
      given.set(option, valueOf(random, option, options, wrong === 0));
    }
    // All checks take seconds, and each process for some checks a third of one, so make them
    // rarely.
    if (name === "check" && !given.has("only")) {
      given.set("only", once(random, 8) ? "enable.u32" : "x");
    }
    // `fuzz` runs a hundred programs by default, which takes long, so always give a number.
    const isFuzz = name === "fuzz";
    const operands = Object.keys(command.operands)
      .filter(() => isFuzz || !once(random, 8))
      .map((one) => valueOf(random, one, command.operands, wrong === 0 && !isFuzz));
    const isFirst = once(random, 2);
    const args = [
      name,
      ...(isFirst ? operands : []),
      ...(isFuzz || name === "compare" || once(random, 8) || given.has("backend")
        ? []
        : ["--backend=model"]),
      ...(SHORT[name] ?? []).filter((arg) => !given.has(/^--([a-z]+)/.exec(arg)![1]!)),
      ...[...given].map(([option, value]) =>
        options[option]!.value === null && value === "" ? `--${option}` : `--${option}=${value}`
      ),
      ...(isFirst ? [] : operands),
      ...(once(random, 10) ? words(random) : []),
    ];
    if (given.has("file") && once(random, 2)) site.write("file", "{}\n");
    return { args, writes: writtenBy(args) };
  },
};

// What a command line asks to be written, whichever of its words do.
function writtenBy(args: readonly string[]): string[] {
  return args.flatMap((arg) => /^--(?:output|into)=(?:[a-z]+:)?(.+)$/s.exec(arg)?.[1] ?? []);
}

function valueOf(random: Random, name: string, options: OptionTable, isWrong: boolean): string {
  const { value, choices } = options[name]!;
  if (FILES.includes(name)) return once(random, 2) ? "file" : fileName(hostileArgument(random));
  if (isWrong && once(random, 2)) return once(random, 2) ? pick(random, NUMBERS) : argument(random);
  if (value === null) return "";
  return pick(random, choices ?? SMALL[name] ?? ["1"]);
}

function words(random: Random): string[] {
  return Array.from(
    { length: random(4) },
    () =>
      once(random, 3)
        ? `--${argument(random)}`
        : once(random, 3)
        ? pick(random, ["help", "--help", "--version", "-h", "-V", "--", "-", "--no-color", "dump"])
        : argument(random),
  );
}

// Without `--verbose`, which prints stacks.
function argument(random: Random): string {
  return hostileArgument(random).replaceAll("verbose", "");
}
