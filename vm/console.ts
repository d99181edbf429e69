/** Lines that are kept. */
const KEPT = 40;
/** The longest line. */
const MOST_CHARACTERS = 400;

/** What an emulator tells of itself that is no news. */
const NOISE = [
  // QEMU: features that its processor in software lacks.
  /^\S*qemu\S*: warning: (TCG doesn't support|host doesn't support)/,
  // Bochs: its parts, its name in a frame, and the instructions at which its debugger stands.
  /^\d{11}[ide]\[|^=+$|^Bochs connected to screen|^\s+(Bochs x86 Emulator|Built from|Timestamp:) /,
  /^Next at t=\d+$|^\(\d\)[. ]\[/,
];
/** What an emulator says of itself where it cannot start. */
const COMPLAINT = /^\S*qemu\S*: (.*)|^\d{11}p\[.*?>>PANIC<< (.*)/;

/** What the console of a machine says: its last lines, and what they tell. */
export class VmConsole {
  readonly #lines: string[] = [];
  readonly #decoder = new TextDecoder();
  #rest = "";
  #panic: string | null = null;
  #step: string | null = null;

  /**
   * Takes what was said.
   *
   * @param bytes The bytes.
   */
  add(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!.slice(0, MOST_CHARACTERS);
    for (const line of lines) this.#addLine(line);
  }

  #addLine(text: string): void {
    const line = text.replaceAll("\r", "").trimEnd().slice(0, MOST_CHARACTERS);
    if (line === "" || NOISE.some((one) => one.test(line))) return;
    const panic = /Kernel panic - not syncing: (.*)/.exec(line);
    if (panic !== null) this.#panic ??= panic[1]!;
    const step = /dirtyring: (\S+)$/.exec(line);
    if (step !== null) this.#step = step[1]!;
    this.#lines.push(line);
    if (this.#lines.length > KEPT) this.#lines.shift();
  }

  /** The last lines, the unfinished one included. */
  get last(): readonly string[] {
    const rest = this.#rest.replaceAll("\r", "").trimEnd();
    return rest === "" ? this.#lines : [...this.#lines, rest];
  }

  /** What the kernel said when it panicked, or `null`. */
  get panic(): string | null {
    return this.#panic;
  }

  /** The last step that the command announced, or `null`. */
  get step(): string | null {
    return this.#step;
  }

  /** What the emulator said of itself when it could not start, or `null`. */
  get complaint(): string | null {
    const found = this.last.map((line) => COMPLAINT.exec(line)).findLast((one) => one !== null);
    return found?.[1] ?? found?.[2] ?? null;
  }
}
