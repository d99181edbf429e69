// What a command line writes on: terminals or not, in colour or not.
import { type Ink, type Page, PLAIN } from "../report/page.ts";
import type { Obeyed } from "../text/terminal_text.ts";
import { errorTerminal, styleErrors } from "./printing.ts";
import { colorChoice, colorVariables, isColoured, type Terminal } from "./terminal.ts";

/** Who decides, where it is not the command line. */
interface Given {
  terminal(): Terminal | null;
  errorTerminal?(): Terminal | null;
  readonly isColoured?: boolean;
}

/** What standard output is written on. */
export class Surface {
  /** Its terminal, or `null`. */
  readonly terminal: Terminal | null;
  /** Its colours. */
  readonly ink: Ink;
  /** Whether it has colours. */
  readonly isColoured: boolean;

  private constructor(terminal: Terminal | null, ink: Ink) {
    this.terminal = terminal;
    this.ink = ink;
    this.isColoured = ink !== PLAIN;
  }

  /**
   * Decides what a command line writes on, and how its standard error is written. What is needed
   * for colours and for terminals is loaded where they are.
   */
  static async of(args: readonly string[], world: Given): Promise<Surface> {
    const choice = colorChoice(args);
    const variables = colorVariables();
    const terminal = world.terminal();
    const errors = (world.errorTerminal ?? errorTerminal)();
    // What a machine's command says on standard error is coloured on this side.
    const areErrorsColoured = world.isColoured === undefined &&
      isColoured(choice, variables, errors);
    const isOutputColoured = world.isColoured ?? isColoured(choice, variables, terminal);
    const ink = isOutputColoured || areErrorsColoured
      ? (await import("./ink.ts")).colouredInk()
      : PLAIN;
    await styleFor(errors, areErrorsColoured ? ink : PLAIN);
    return new Surface(terminal, isOutputColoured ? ink : PLAIN);
  }

  /** What standard output obeys beside text. */
  get obeyed(): Obeyed {
    const { terminal, isColoured } = this;
    return { frames: terminal !== null && !terminal.isDumb, colours: isColoured };
  }
}

async function styleFor(errors: Terminal | null, ink: Ink): Promise<void> {
  const line = errors === null ? (text: string) => text : await wrapper(errors);
  styleErrors({ line, note: ink.bold, error: ink.bad });
}

/** What is written below a note begins below its text. */
const HANG = " ".repeat("dirtyring: ".length);

async function wrapper(errors: Terminal): Promise<(text: string) => string> {
  const { fittedLine } = await import("../report/layout.ts");
  return (text) => fittedLine(text, errors.columns, text.startsWith("dirtyring: ") ? HANG : null);
}

/**
 * What of a text is left out. With `--quiet` there is neither a head nor what holds.
 *
 * @param values The values of the options.
 */
export function leftOut(
  values: Readonly<Record<string, unknown>>,
): Pick<Page, "header" | "onlyFailures" | "quiet"> {
  const quiet = values["quiet"] === true;
  return {
    quiet,
    onlyFailures: quiet || values["only-failures"] === true,
    header: !quiet && values["no-header"] !== true,
  };
}
