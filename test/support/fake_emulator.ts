import type { Boot, Emulation, Emulator } from "../../vm/emulator.ts";
import { type Frame, frameBytes, type FrameKind, framesOf, jsonFrame } from "../../vm/frames.ts";
import type { VmCpu } from "../../vm/vm_failure.ts";

/** The machine's side, which a test plays. */
export interface FakeGuest {
  /** What was booted. */
  readonly boot: Boot;
  /** Prints a line on the console. */
  say(line: string): void;
  /** Sends a frame with a value in JSON. */
  tell(kind: FrameKind, value: unknown): void;
  /** Sends a frame with text. */
  send(kind: FrameKind, text: string): void;
  /** Sends raw bytes on the line. */
  bytes(bytes: Uint8Array): void;
  /** Waits for the next frame from the host: its kind and its JSON value. */
  heard(): Promise<readonly [kind: FrameKind, value: unknown]>;
  /** Ends the process. */
  exit(code: number): void;
}

/** An emulator without a machine. */
export interface FakeEmulator extends Emulator {
  /** How many machines were killed. */
  readonly kills: number;
}

/** Options of {@linkcode fakeEmulator}. Timeouts are so long by default that none is hit. */
export interface FakeTraits {
  readonly timeoutMs?: number;
  readonly silenceMs?: number;
  /** The vendor of its processor; AMD by default. */
  readonly cpu?: VmCpu;
  /** The machine starts once this is resolved. */
  readonly starting?: Promise<void>;
}

const NEVER_MS = 100_000;
const encoder = new TextEncoder();

/** An emulator whose machines are played by a test. */
export function fakeEmulator(
  play: (guest: FakeGuest) => Promise<void> | void,
  {
    timeoutMs = NEVER_MS,
    silenceMs = NEVER_MS,
    cpu = "amd",
    starting = Promise.resolve(),
  }: FakeTraits = {},
): FakeEmulator {
  let kills = 0;
  return {
    name: "a fake",
    kernelArgs: "fake=1",
    timeoutMs,
    silenceMs,
    cpu,
    get kills() {
      return kills;
    },
    async start(boot) {
      await starting;
      return startFake(boot, play, () => kills++);
    },
  };
}

function startFake(
  boot: Boot,
  play: (guest: FakeGuest) => Promise<void> | void,
  killed: () => void,
): Emulation {
  const [console, line, sent] = [pipe(), pipe(), pipe()];
  const frames = framesOf(sent.readable);
  const { promise: ended, resolve } = Promise.withResolvers<{ code: number }>();
  let isOver = false;
  const end = (code: number) => {
    if (isOver) return;
    isOver = true;
    for (const one of [console, line, sent]) one.close();
    resolve({ code });
  };
  const guest: FakeGuest = {
    boot,
    say: (text) => console.write(encoder.encode(`${text}\r\n`)),
    tell: (kind, value) => line.write(jsonFrame(kind, value)),
    send: (kind, text) => line.write(frameBytes(kind, encoder.encode(text))),
    bytes: (bytes) => line.write(bytes),
    async heard() {
      const { value, done } = await frames.next();
      if (done) throw new Error("the machine was ended");
      return [(value as Frame).kind, JSON.parse(new TextDecoder().decode(value.body))];
    },
    exit: end,
  };
  // Runs on its own. If the machine is killed, heard() throws, which is ignored.
  Promise.resolve(play(guest)).catch(() => {});
  return {
    console: console.readable,
    line: line.readable,
    write(bytes) {
      sent.write(bytes);
      return Promise.resolve();
    },
    ended,
    async kill() {
      killed();
      end(137);
      await ended;
    },
  };
}

// A stream that accepts writes until it is closed or cancelled by its reader, and ignores later
// ones.
function pipe() {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let isOpen = true;
  const readable = new ReadableStream<Uint8Array>({
    start: (one) => void (controller = one),
    cancel: () => void (isOpen = false),
  });
  return {
    readable,
    write(bytes: Uint8Array) {
      if (isOpen) controller.enqueue(bytes);
    },
    close() {
      if (isOpen) controller.close();
      isOpen = false;
    },
  };
}
